"""Run by an interpreter that has hwcomponents: what it makes of an exported package, as JSON."""

import json
import sys
from importlib.metadata import version
from pathlib import Path

sys.path.insert(0, sys.argv[1])
import hwcomponents

result = {"version": version("hwcomponents"), "found": [], "components": {}}
result["found"] = [m.__name__ for m in hwcomponents.get_models(name_must_include="macsmith")]
table = json.loads((Path(sys.argv[1]) / "hwcomponents_macsmith/components.json").read_text())
actions = {"mac": "mac", "multiplier": "multiply", "accumulator": "add", "quantiser": "quantise"}
for row in table:
    model = hwcomponents.get_model(
        f"Macsmith{row['kind'].capitalize()}",
        {"design": row["design"], "technology": row["technology"]},
        required_actions=[actions[row["kind"]]],
    )
    cost = getattr(model, actions[row["kind"]])()
    result["components"][row["name"]] = [
        *(model.area, model.leak_power, cost.energy, cost.latency, cost.throughput)
    ]
try:
    hwcomponents.get_model("MacsmithMac", {"design": "int3:int8"})
except Exception as error:
    result["unknown"] = str(error)
print(json.dumps(result))
