"""Run by an interpreter that has Accelergy: its tables for an exported architecture, as JSON."""

import json
import sys
from pathlib import Path

import yaml
from accelergy.accelergy_console import main

architecture, folder = sys.argv[1:]
sys.argv = ["accelergy", architecture, "-o", folder]
main()


def read(name):
    return yaml.safe_load((Path(folder) / f"{name}.yaml").read_text())[name]["tables"]


energies = {
    table["name"].split(".")[-1]: {
        action["name"]: float(action["energy"]) for action in table["actions"]
    }
    for table in read("ERT")
}
areas = {table["name"].split(".")[-1]: table["area"] for table in read("ART")}
print(json.dumps({"energies": energies, "areas": areas}))
