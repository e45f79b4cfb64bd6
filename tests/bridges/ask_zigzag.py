"""Run by an interpreter that has ZigZag: energy of a matrix product on an accelerator, as JSON."""

import json
import sys
from importlib.metadata import version
from pathlib import Path

import yaml
from zigzag.api import get_hardware_performance_zigzag

accelerator, folder, sum_bits, operand_bits = sys.argv[1:]
sizes = [4, 6, 8]
layer = {
    "id": 0,
    "operator_type": "Gemm",
    "equation": "O[b][k]+=I[b][c]*W[c][k]",
    "dimension_relations": [],
    "loop_dims": ["B", "K", "C"],
    "loop_sizes": sizes,
    "operand_precision": {
        "O": int(sum_bits),
        "O_final": int(sum_bits),
        "W": int(operand_bits),
        "I": int(operand_bits),
    },
    "operand_source": {"I": 0, "W": 0},
}
links = {"O": "O", "W": "I2", "I": "I1"}
mapping = {"name": "default", "spatial_mapping": {"D1": ["K, 1"]}, "memory_operand_links": links}
workload, mappings = Path(folder) / "workload.yaml", Path(folder) / "mapping.yaml"
workload.write_text(yaml.dump([layer]))
mappings.write_text(yaml.dump([mapping]))
energy, latency, _ = get_hardware_performance_zigzag(
    str(workload),
    accelerator,
    str(mappings),
    opt="energy",
    dump_folder=f"{folder}/out",
    pickle_filename=f"{folder}/out/all.pickle",
    nb_spatial_mappings_generated=1,
    loma_show_progress_bar=False,
)
macs = sizes[0] * sizes[1] * sizes[2]
print(
    json.dumps(
        {"version": version("zigzag-dse"), "energy": energy, "latency": latency, "macs": macs}
    )
)
