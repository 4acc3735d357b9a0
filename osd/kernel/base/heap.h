#pragma once
/*
 * Priority queues that link objects without allocating: the node with the smallest key is at hand, of equal
 * ones the one that was added first. Adding or removing any node takes a number of steps that grows with the logarithm of how many there
 * are, always. A head is a node without a key; a node that is in no heap is all zeros but for its key.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap {
	struct heap *left,
	        *right;     /* none goes before its `above`; a head has its first on the left */
	struct heap *above; /* NULL: a head, or in no heap */
	uint64_t key;
	uint32_t rank; /* nodes down to the first place on the way to the right that is empty */
	uint32_t turn; /* of equal keys the first to go; of a head, how many were added; it wraps */
};

#define heap_entry(node, type, member) ((type *)(void *)((char *)(node) - offsetof(type, member)))

/* An empty head, or a node that is in no heap. */
void heap_init(struct heap *node);
/* The one to go first; NULL: there is none. */
static inline struct heap *heap_first(const struct heap *head)
{
	return head->left;
}
static inline bool heap_is_in(const struct heap *node)
{
	return node->above != NULL;
}
/* The node is in none. */
void heap_add(struct heap *head, struct heap *node, uint64_t key);
/* Out of the heap that it is in, if any. Its key stays. */
void heap_remove(struct heap *node);
/* Each takes the other's place and key; either may be in no heap. */
void heap_exchange(struct heap *a, struct heap *b);
