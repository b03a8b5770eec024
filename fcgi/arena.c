#include "fcgi/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Below 64 KiB, where glibc's free() begins to consolidate its lists. */
enum { BLOCK_SIZE = 60000 };

struct arena_block {
	struct arena_block *older;
	size_t size; /* of data */
	alignas(max_align_t) unsigned char data[];
};

void *arena_allocate(struct arena *arena, size_t size)
{
	if (size > SIZE_MAX / 2)
		return NULL;
	size = (size + alignof(max_align_t) - 1) / alignof(max_align_t) * alignof(max_align_t);
	if (size > arena->left) {
		size_t block_size = size > BLOCK_SIZE ? size : BLOCK_SIZE;
		struct arena_block *block = malloc(sizeof(*block) + block_size);
		if (!block) {
			arena->failed = true;
			return NULL;
		}
		block->older = arena->newest;
		block->size = block_size;
		arena->newest = block;
		arena->left = block_size;
		arena->size += block_size;
	}
	void *bytes = arena->newest->data + (arena->newest->size - arena->left);
	arena->left -= size;
	return bytes;
}

bool arena_trim(struct arena *arena, struct arena_move *ret_move)
{
	struct arena_block *block = arena->newest;
	if (!block || block->older || !arena->left)
		return false;
	size_t used = block->size - arena->left;
	struct arena_block *smaller = malloc(sizeof(*smaller) + used);
	if (!smaller)
		return false;
	memcpy(smaller->data, block->data, used);
	*ret_move = (struct arena_move){ .from = block->data, .to = smaller->data, .size = used };
	smaller->older = NULL;
	smaller->size = used;
	arena->newest = smaller;
	arena->left = 0;
	arena->size = used;
	free(block);
	return true;
}

void arena_reset(struct arena *arena)
{
	struct arena_block *block = arena->newest;
	if (!block || block->older) {
		arena_free(arena);
		return;
	}
	arena->left = block->size;
	arena->failed = false;
}

void arena_free(struct arena *arena)
{
	while (arena->newest) {
		struct arena_block *older = arena->newest->older;
		free(arena->newest);
		arena->newest = older;
	}
	*arena = (struct arena){ 0 };
}
