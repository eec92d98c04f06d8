"""An external signer that does what its first argument says, and otherwise what it should.

Further arguments: a private key in PEM, and whatever the behaviour needs.
"""
import base64
import hashlib
import json
import os
import sys
import threading
import time

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, utils

behaviour, pem = sys.argv[1], sys.argv[2]
key = serialization.load_pem_private_key(open(pem, "rb").read(), None)
public = key.public_key()
digest = behaviour.startswith("digest")
hash_of = utils.Prehashed(hashes.SHA256()) if digest else hashes.SHA256()


def listed():
    raw = (serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    spki = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return {"keytype": "ed25519", "scheme": "ed25519", "public": public.public_bytes(*raw).hex()}
    pem_text = public.public_bytes(*spki).decode()
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return {"keytype": "ecdsa", "scheme": "ecdsa-sha2-nistp256", "public": pem_text}
    return {"keytype": "rsa", "scheme": "rsassa-pss-sha256", "public": pem_text}


def sign(data):
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(data)
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(data, ec.ECDSA(hash_of))
    return key.sign(data, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hash_of)


def answer(request, **members):
    sys.stdout.write(json.dumps({"id": request["id"], **members}) + "\n")
    sys.stdout.flush()


def misbehave(request):
    if behaviour == "hang":
        time.sleep(600)
    elif behaviour == "die":
        print("no\x1b more\ttokens", file=sys.stderr, flush=True)
        os._exit(3)
    elif behaviour == "close":
        os.close(1)
        time.sleep(600)
    elif behaviour == "flood":
        while True:
            sys.stdout.write("x" * 65536)
    elif behaviour == "chatter":
        while True:
            print("{}" * 100, flush=True)
    elif behaviour == "garbage":
        print("Traceback (most recent call last):", flush=True)
    elif behaviour == "stray":
        answer({"id": 4711}, signature="00")
    elif behaviour == "lie":
        answer(request, signature="07" * 64)
    elif behaviour == "empty":
        answer(request)
    elif behaviour == "refuse":
        answer(request, error="the token\x1b[2J is locked\n")
    elif behaviour == "deaf":
        time.sleep(600)
    else:
        return False
    return True


def serve(request):
    if request["op"] == "hello":
        version = 2 if behaviour == "version" else 1
        wants = "digest" if digest else "payload"
        answer(request, version=version, wants=wants, at_once=8 if behaviour == "many" else 1)
    elif request["op"] == "public":
        answer(request, **listed())
    elif not misbehave(request):
        if behaviour == "many":
            time.sleep(0.3)
        if digest:
            data = bytes.fromhex(request["digest"])
        else:
            data = base64.b64decode(request["payload"])
        if behaviour == "loud":
            print(("y" * 5000 + "\nplain\n") * 2000, file=sys.stderr, flush=True)
        if behaviour == "environment":
            print("variables:", *sorted(os.environ), file=sys.stderr, flush=True)
        answer(request, signature=sign(data).hex())


if behaviour == "silent":
    time.sleep(600)
if behaviour == "pid":
    open(sys.argv[3], "w").write(str(os.getpid()))
while line := sys.stdin.readline():
    if behaviour == "many":
        threading.Thread(target=serve, args=[json.loads(line)]).start()
    else:
        serve(json.loads(line))
        if behaviour == "deaf" and '"public"' in line:
            time.sleep(600)
        if behaviour == "idle" and '"public"' in line:
            os._exit(7)
