import { expect, it } from "vitest";
import { groupsOf } from "./system-groups";

it("gives each kind of reading a chart of its own and leaves training figures out", () => {
  const groups = groupsOf([
    "loss",
    "lr",
    "gpu.utilization_pct",
    "gpu.memory_used_mb",
    "gpu.memory_total_mb",
    "cpu_pct",
    "ram_used_mb",
    "disk_free_mb",
  ]);
  expect(groups.map((group) => group.keys)).toEqual([
    ["gpu.utilization_pct"],
    ["gpu.memory_used_mb"],
    ["cpu_pct"],
    ["ram_used_mb"],
    ["disk_free_mb"],
  ]);
});
