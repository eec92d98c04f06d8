"""Checks a Kubernetes manifest and Prometheus rules against the members their documentation lists.

An unknown member is refused as a strict API server refuses it, a wrong type as well.
"""

import pathlib
import sys

import yaml

MAP = {str: str}
CONTAINER = {
    "name": str,
    "image": str,
    "args": [str],
    "env": [{"name": str, "value": str}],
    "resources": {"requests": MAP, "limits": MAP},
    "securityContext": {
        "allowPrivilegeEscalation": bool,
        "readOnlyRootFilesystem": bool,
        "capabilities": {"drop": [str]},
    },
    "volumeMounts": [{"name": str, "mountPath": str, "readOnly?": bool}],
    "ports?": [{"name": str, "containerPort": int}],
    "readinessProbe?": {"httpGet": {"path": str, "port": int}},
    "livenessProbe?": {"httpGet": {"path": str, "port": int}},
}
POD = {
    "restartPolicy": str,
    "automountServiceAccountToken": bool,
    "enableServiceLinks": bool,
    "securityContext": {
        "runAsNonRoot": bool,
        "runAsUser": int,
        "runAsGroup": int,
        "fsGroup": int,
        "seccompProfile": {"type": str},
    },
    "containers": [CONTAINER],
    "volumes": [
        {
            "name": str,
            "persistentVolumeClaim?": {"claimName": str},
            "secret?": {"secretName": str, "defaultMode": int},
            "emptyDir?": {},
        }
    ],
}
META = {"name": str, "labels": MAP}
KINDS = {
    "PersistentVolumeClaim": {
        "apiVersion": str,
        "kind": str,
        "metadata": META,
        "spec": {"accessModes": [str], "resources": {"requests": MAP}},
    },
    "CronJob": {
        "apiVersion": str,
        "kind": str,
        "metadata": META,
        "spec": {
            "schedule": str,
            "timeZone": str,
            "concurrencyPolicy": str,
            "startingDeadlineSeconds": int,
            "successfulJobsHistoryLimit": int,
            "failedJobsHistoryLimit": int,
            "jobTemplate": {
                "spec": {
                    "backoffLimit": int,
                    "activeDeadlineSeconds": int,
                    "template": {"metadata": {"labels": MAP}, "spec": POD},
                }
            },
        },
    },
}
KINDS["Deployment"] = {
    "apiVersion": str,
    "kind": str,
    "metadata": META,
    "spec": {
        "replicas": int,
        "selector": {"matchLabels": MAP},
        "template": {"metadata": {"labels": MAP}, "spec": POD},
    },
}
KINDS["Service"] = {
    "apiVersion": str,
    "kind": str,
    "metadata": META,
    "spec": {"selector": MAP, "ports": [{"name": str, "port": int, "targetPort": int}]},
}
RULES = {
    "groups": [
        {
            "name": str,
            "rules": [
                {
                    "alert": str,
                    "expr": str,
                    "for?": str,
                    "labels": MAP,
                    "annotations": MAP,
                }
            ],
        }
    ]
}


def check(value, shape, where):
    if isinstance(shape, type):
        assert type(value) is shape, f"{where} is {value!r}, not {shape.__name__}"
    elif isinstance(shape, list):
        assert type(value) is list and value, f"{where} is no list with anything in it"
        for number, one in enumerate(value):
            check(one, shape[0], f"{where}[{number}]")
    elif shape is MAP:
        assert type(value) is dict, f"{where} is no map"
        for key, one in value.items():
            check(one, str, f"{where}.{key}")
    else:
        assert type(value) is dict, f"{where} is no map"
        known = {name.rstrip("?") for name in shape}
        assert set(value) <= known, f"{where} has {set(value) - known}"
        for name, inner in shape.items():
            if name.rstrip("?") in value:
                check(value[name.rstrip("?")], inner, f"{where}.{name}")
            else:
                assert name.endswith("?"), f"{where} has no {name}"


folder = pathlib.Path(sys.argv[1])


def read(name):
    documents = list(yaml.safe_load_all((folder / name).read_text()))
    for document in documents:
        check(document, KINDS[document["kind"]], document["kind"])
    return documents


def mounted(pod):
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    mounts = {mount["name"] for mount in pod["containers"][0]["volumeMounts"]}
    assert mounts == set(volumes), "every volume is mounted, every mount has a volume"
    return volumes


documents = read("manifest.yaml")
claims = {one["metadata"]["name"] for one in documents if one["kind"] == "PersistentVolumeClaim"}
jobs = [one["spec"] for one in documents if one["kind"] == "CronJob"]
assert len(jobs) == 3 and all(len(job["schedule"].split()) == 5 for job in jobs)
for job in jobs:
    pod = job["jobTemplate"]["spec"]["template"]["spec"]
    volumes = mounted(pod)
    assert volumes["data"]["persistentVolumeClaim"]["claimName"] in claims
holders = [job for job in jobs if "secret" in str(job)]
assert len(holders) == 1, "only the cycle sees the passphrase"
machines = read("machines.yaml")
deployments = {one["metadata"]["name"]: one["spec"] for one in machines if one["kind"] == "Deployment"}
assert set(deployments) == {"countersign-signer", "countersign-intake"}
for name, one in deployments.items():
    labels = one["template"]["metadata"]["labels"]
    assert one["selector"]["matchLabels"] == labels and one["replicas"] > 1
    volumes = mounted(one["template"]["spec"])
    assert ("online-key" in volumes) == (name == "countersign-signer"), "intakes see no key"
    assert volumes["data"]["emptyDir"] == {}, "pods share no volume"
service = next(one["spec"] for one in machines if one["kind"] == "Service")
intake = deployments["countersign-intake"]["template"]
assert service["selector"] == intake["metadata"]["labels"]
port = intake["spec"]["containers"][0]["ports"][0]["containerPort"]
assert [one["targetPort"] for one in service["ports"]] == [port]
assert sum(one["kind"] == "CronJob" for one in machines) == 2
rules = yaml.safe_load((folder / "rules.yaml").read_text())
check(rules, RULES, "rules")
names = [rule["alert"] for rule in rules["groups"][0]["rules"]]
assert len(names) == len(set(names)) >= 8
