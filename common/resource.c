#include "common/resource.h"

#define AS_ROW(member, ...) [RESOURCE_##member] = { __VA_ARGS__ },

const struct resource_row resource_rows[RESOURCE_COUNT] = { RESOURCES(AS_ROW) };
