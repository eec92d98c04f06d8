"""Makes a SoftHSM token with a user PIN: what a person does once with a new smart card.

Usage: make_token.py MODULE LABEL PIN, with SOFTHSM2_CONF in the environment. SoftHSM's own tool is
not in Debian's library package, so the module is called directly (PKCS#11 2.40, 5.5 to 5.7).
"""

import ctypes
import sys

RW_SERIAL_SESSION = 0x2 | 0x4
SECURITY_OFFICER = 0


def main(module, label, pin):
    api, pin = ctypes.CDLL(module), pin.encode()

    def call(name, *arguments):
        code = getattr(api, name)(*arguments)
        if code != 0:
            sys.exit(f"{name} answers {code:#x}")

    number = ctypes.c_ulong
    call("C_Initialize", None)
    count = number(0)
    call("C_GetSlotList", 0, None, ctypes.byref(count))
    slots = (number * count.value)()
    call("C_GetSlotList", 0, slots, ctypes.byref(count))
    # SoftHSM always has one free slot, its last.
    slot = number(slots[count.value - 1])
    call("C_InitToken", slot, pin, number(len(pin)), label.encode().ljust(32))
    session = number(0)
    call("C_OpenSession", slot, number(RW_SERIAL_SESSION), None, None, ctypes.byref(session))
    call("C_Login", session, number(SECURITY_OFFICER), pin, number(len(pin)))
    call("C_InitPIN", session, pin, number(len(pin)))
    call("C_Finalize", None)


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
