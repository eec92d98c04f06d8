"""Makes and reads keys as Python's `cryptography` and securesystemslib do, for the table of tests.

make KIND PATH [PASSPHRASE]     writes PATH (PKCS#8, best encryption), prints the public key in PEM
generate KIND PATH              the same by securesystemslib's own signer, without encryption
sign PATH PASSPHRASE MESSAGE    signs with securesystemslib and an encrypted private key, in hex
load PATH PASSPHRASE            prints the public key of an encrypted private key in PEM
verify KEY MESSAGE SIGNATURE    verifies a hex signature with a TUF KEY in JSON through securesystemslib
"""
import json
import sys

from cryptography.hazmat.primitives import serialization as s
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from securesystemslib.signer import CryptoSigner, Key, Signature


def spki(public):
    form = (s.Encoding.PEM, s.PublicFormat.SubjectPublicKeyInfo)
    print(public.public_bytes(*form).decode(), end="")


def make(kind, path, passphrase=None):
    if kind == "ed25519":
        key = ed25519.Ed25519PrivateKey.generate()
    else:
        key = ec.generate_private_key(ec.SECP256R1())
    if passphrase is None:
        encryption = s.NoEncryption()
    else:
        encryption = s.BestAvailableEncryption(passphrase.encode())
    with open(path, "wb") as file:
        file.write(key.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, encryption))
    spki(key.public_key())


def generate(kind, path):
    make = {"ed25519": CryptoSigner.generate_ed25519, "ecdsa": CryptoSigner.generate_ecdsa}[kind]
    signer = make()
    with open(path, "wb") as file:
        file.write(signer.private_bytes)
    spki(s.load_pem_private_key(signer.private_bytes, None).public_key())


def sign(path, passphrase, message):
    with open(path, "rb") as file:
        key = s.load_pem_private_key(file.read(), passphrase.encode())
    print(CryptoSigner(key).sign(message.encode()).signature, end="")


def load(path, passphrase):
    with open(path, "rb") as file:
        spki(s.load_pem_private_key(file.read(), passphrase.encode()).public_key())


def verify(key, message, signature):
    key = Key.from_dict("keyid", json.loads(key))
    key.verify_signature(Signature("keyid", signature), message.encode())
    print("ok")


{"generate": generate, "load": load, "make": make, "sign": sign, "verify": verify}[sys.argv[1]](*sys.argv[2:])
