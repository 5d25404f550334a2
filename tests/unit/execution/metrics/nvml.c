/* A libnvidia-ml.so.1 for tests: two GPUs whose driver answers what environment variables say.
 *
 * NVML_FAKE_COUNT    number of devices (2)
 * NVML_FAKE_LOST     file; while it exists every reading answers NVML_ERROR_GPU_IS_LOST
 * NVML_FAKE_NO_POWER set: power is not supported
 * NVML_FAKE_PID      pid of the one compute process on device 0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SUCCESS = 0, INVALID = 2, NOT_SUPPORTED = 3, INSUFFICIENT_SIZE = 7, LOST = 15 };
typedef struct { int index; } device_t;
static device_t devices[8] = {{0}, {1}, {2}, {3}, {4}, {5}, {6}, {7}};

static int lost(void) {
    const char *path = getenv("NVML_FAKE_LOST");
    return path && access(path, F_OK) == 0;
}
#define ALIVE if (lost()) return LOST

int nvmlInitWithFlags(unsigned flags) { (void)flags; return lost() ? 9 /* driver not loaded */ : SUCCESS; }
int nvmlInit_v2(void) { return nvmlInitWithFlags(0); }
int nvmlShutdown(void) { return SUCCESS; }
const char *nvmlErrorString(int code) { return code == LOST ? "GPU is lost" : "an error of the fake driver"; }
int nvmlDeviceGetCount_v2(unsigned *count) {
    const char *text = getenv("NVML_FAKE_COUNT");
    *count = text ? (unsigned)atoi(text) : 2;
    return SUCCESS;
}
int nvmlDeviceGetHandleByIndex_v2(unsigned index, device_t **device) { *device = &devices[index]; return SUCCESS; }
int nvmlDeviceGetName(device_t *device, char *name, unsigned length) {
    ALIVE; snprintf(name, length, "Fake GPU %d", device->index); return SUCCESS;
}
int nvmlDeviceGetUUID(device_t *device, char *uuid, unsigned length) {
    snprintf(uuid, length, "GPU-fa4e0000-0000-0000-0000-00000000000%d", device->index); return SUCCESS;
}
typedef struct { unsigned long long total, free, used; } memory_t;
int nvmlDeviceGetMemoryInfo(device_t *device, memory_t *memory) {
    ALIVE; memory->total = 24ull << 30; memory->used = (unsigned long long)(device->index + 1) << 30;
    memory->free = memory->total - memory->used; return SUCCESS;
}
typedef struct { unsigned gpu, memory; } utilization_t;
int nvmlDeviceGetUtilizationRates(device_t *device, utilization_t *use) {
    ALIVE; use->gpu = 90 - 10 * device->index; use->memory = 40; return SUCCESS;
}
int nvmlDeviceGetPowerUsage(device_t *device, unsigned *milliwatts) {
    ALIVE; if (getenv("NVML_FAKE_NO_POWER")) return NOT_SUPPORTED;
    *milliwatts = 215500 + (unsigned)device->index; return SUCCESS;
}
int nvmlDeviceGetTemperature(device_t *device, int sensor, unsigned *celsius) {
    (void)sensor; ALIVE; *celsius = 61 + (unsigned)device->index; return SUCCESS;
}
int nvmlDeviceGetClockInfo(device_t *device, int type, unsigned *mhz) {
    (void)device; (void)type; ALIVE; *mhz = 1815; return SUCCESS;
}
int nvmlDeviceGetMigMode(device_t *device, unsigned *current, unsigned *pending) {
    (void)device; *current = *pending = getenv("NVML_FAKE_MIG") ? 1 : 0; return SUCCESS;
}
int nvmlDeviceGetMaxMigDeviceCount(device_t *device, unsigned *count) { (void)device; *count = 3; return SUCCESS; }
int nvmlDeviceGetMigDeviceHandleByIndex(device_t *device, unsigned number, device_t **slice) {
    if (number > 1) return 6; /* not found: this place holds no slice */
    *slice = &devices[4 + 2 * device->index + (int)number]; return SUCCESS;
}
typedef struct { unsigned pid; unsigned long long used; unsigned gpu_instance, compute_instance; } process_t;
int nvmlDeviceGetComputeRunningProcesses_v3(device_t *device, unsigned *count, process_t *processes) {
    ALIVE;
    unsigned have = device->index == 0 && getenv("NVML_FAKE_PID") ? 1 : 0, room = *count;
    *count = have;
    if (have == 0) return SUCCESS;
    if (room < have || !processes) return INSUFFICIENT_SIZE;
    memset(processes, 0, sizeof *processes);
    processes[0].pid = (unsigned)atoi(getenv("NVML_FAKE_PID"));
    processes[0].used = 512ull << 20;
    return SUCCESS;
}
