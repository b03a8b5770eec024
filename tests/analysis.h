/*
 * What the analyzers of `make analyze` are told before every file, since they cannot see into libraries or follow what
 * those do. Nothing of it is ever linked.
 */
#include <cjson/cJSON.h>

#include "common/table.h"

/* NULL is of no type. */
#define cJSON_IsArray(item) ((item) && (cJSON_IsArray)(item))
#define cJSON_IsNumber(item) ((item) && (cJSON_IsNumber)(item))
#define cJSON_IsObject(item) ((item) && (cJSON_IsObject)(item))
#define cJSON_IsString(item) ((item) && (cJSON_IsString)(item))

/* Of the links between a table's items they find that they are never freed, or used thereafter: a table's own memory and
 * how an item leaves it are hidden from them. */
void *analysis_take(size_t size);
void analysis_give(void *memory, size_t size);
void analysis_forget(void *head, void *item);

#undef uthash_malloc
#undef uthash_free
#undef HASH_DELETE_HH
#define uthash_malloc(size) analysis_take(size)
#define uthash_free(memory, size) analysis_give((memory), (size))
#define HASH_DELETE_HH(hh, head, item) analysis_forget((void *)&(head), (item))
