"""External signer for `exec:`: every signer of securesystemslib (clouds, Vault, tokens, files).

Arguments: a securesystemslib private key URI, and a file with its public key as a TUF KEY in JSON.
"""
import base64
import getpass
import json
import sys

from securesystemslib.signer import Key, Signer

with open(sys.argv[2]) as file:
    key = Key.from_dict("", json.load(file))
signer = Signer.from_priv_key_uri(sys.argv[1], key, getpass.getpass)
for line in sys.stdin:
    request, answer = json.loads(line), {}
    try:
        if request["op"] == "hello":
            answer = {"version": 1, "wants": "payload", "at_once": 1}
        elif request["op"] == "public":
            answer = {"keytype": key.keytype, "scheme": key.scheme, "public": key.keyval["public"]}
        elif request["op"] == "sign":
            answer = {"signature": signer.sign(base64.b64decode(request["payload"])).signature}
    except Exception as error:  # whatever a back end raises ends this request, not the signer
        answer = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps({"id": request["id"], **answer}), flush=True)
