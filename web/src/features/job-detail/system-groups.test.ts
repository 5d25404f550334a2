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

it("shows each of several GPUs once, and a single one without its number", () => {
  const [two] = groupsOf(["gpu.0.power_w", "gpu.power_w", "gpu.1.power_w", "gpu.1.sm_clock_mhz"]);
  expect(two?.keys.map((key) => two.label(key))).toEqual(["GPU 0 power", "GPU 1 power"]);
  const [one] = groupsOf(["gpu.0.power_w", "gpu.power_w"]);
  expect(one?.keys.map((key) => one.label(key))).toEqual(["power"]);
});

it("knows the journal's figures of the machine", () => {
  const names = [
    "cpu_pct",
    "ram_used_mb",
    "ram_total_mb",
    "process_cpu_pct",
    "process_ram_mb",
    "disk_free_mb",
  ];
  const groups = groupsOf([...names, "disk_total_mb"].map((name) => `system.${name}`));
  expect(groups.map((group) => [group.title, group.keys.map((key) => group.label(key))])).toEqual([
    ["CPU", ["machine", "training (100 % is one core)"]],
    ["Memory", ["machine", "training"]],
    ["Disk free", ["free"]],
  ]);
});
