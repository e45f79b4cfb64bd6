"""Run by an interpreter that has AccelForge: costs of an exported compute node, as JSON."""

import json
import sys
from importlib.metadata import version

sys.path.insert(0, sys.argv[1])
import accelforge

node = accelforge.arch.Compute.from_yaml(sys.argv[2]).calculate_component_costs()
action = next(action for action in node.actions if action.name == "compute")
print(
    json.dumps(
        {
            "version": version("accelforge"),
            "costs": [node.area, node.leak_power, action.energy, action.throughput],
        }
    )
)
