/*
 * Leftist heaps. Of the two below a node the right one has no larger rank than the left one, and the
 * rank of a node is that of its right one and 1: so going to the right comes to an end after as many
 * steps as a number of nodes has binary digits, and that is the way that every change takes. To the left
 * a heap may be as deep as it likes.
 *
 *   two heaps are one:  go down both on the right, always on in the one whose next key is smaller; then
 *                       back up, mending ranks
 *   one node goes:      what is below it, as one, takes its place; above it ranks are mended until one is
 *                       what it was, and since the rank grows with each step this is as short a way
 *
 * A head is a node with nothing on the right, whose rank is therefore always the same: no way up needs to
 * know where it ends.
 */
#include "osd/kernel/base/heap.h"

void heap_init(struct heap *node)
{
	*node = (struct heap){.rank = 1};
}

static uint32_t heap_rank(const struct heap *node)
{
	return node != NULL ? node->rank : 0;
}

/* The larger rank to the left. Return whether the rank of the node is another one now. */
static bool heap_mend(struct heap *node)
{
	uint32_t was = node->rank;

	if (heap_rank(node->left) < heap_rank(node->right)) {
		struct heap *left = node->left;

		node->left = node->right;
		node->right = left;
	}
	node->rank = heap_rank(node->right) + 1;
	return node->rank != was;
}

static bool heap_is_before(const struct heap *a, const struct heap *b)
{
	return a->key < b->key || (a->key == b->key && (int32_t)(a->turn - b->turn) < 0);
}

/* Of two without a head; NULL is an empty one. */
static struct heap *heap_merge(struct heap *a, struct heap *b)
{
	struct heap *first = NULL, *last = NULL, **place = &first;

	while (a != NULL || b != NULL) {
		struct heap *next = b == NULL || (a != NULL && heap_is_before(a, b)) ? a : b;

		*place = next;
		next->above = last;
		if (a == NULL || b == NULL) {
			break;
		}
		last = next;
		place = &next->right;
		a = next == a ? a->right : a;
		b = next == b ? b->right : b;
	}
	for (; last != NULL; last = last->above) {
		(void)heap_mend(last);
	}
	return first;
}

void heap_add(struct heap *head, struct heap *node, uint64_t key)
{
	heap_init(node);
	node->key = key;
	node->turn = head->turn++;
	head->left = heap_merge(head->left, node);
	head->left->above = head;
}

/* Where the one above it, if any, leads to it. */
static struct heap **heap_place(struct heap *node)
{
	return node->above->left == node ? &node->above->left : &node->above->right;
}

void heap_remove(struct heap *node)
{
	struct heap *up = node->above, *below;
	uint64_t key = node->key;

	if (up == NULL) {
		return;
	}
	below = heap_merge(node->left, node->right);
	*heap_place(node) = below;
	if (below != NULL) {
		below->above = up;
	}
	while (up != NULL && heap_mend(up)) {
		up = up->above;
	}
	heap_init(node);
	node->key = key;
}

/* Put `to`, whatever it was, in the place of `from`, which is in no heap then. */
static void heap_replace(struct heap *from, struct heap *to)
{
	*to = *from;
	if (from->above != NULL) {
		*heap_place(from) = to;
	}
	if (to->left != NULL) {
		to->left->above = to;
	}
	if (to->right != NULL) {
		to->right->above = to;
	}
	heap_init(from);
}

void heap_exchange(struct heap *a, struct heap *b)
{
	struct heap was_a;

	heap_replace(a, &was_a);
	heap_replace(b, a);
	heap_replace(&was_a, b);
}
