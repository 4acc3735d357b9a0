#pragma once
/* Doubly linked circular lists. A head and an unlinked node both point to themselves. */
#include <stdbool.h>
#include <stddef.h>

struct list {
	struct list *next, *prev;
};

#define list_entry(node, type, member) ((type *)(void *)((char *)(node) - offsetof(type, member)))

static inline void list_init(struct list *node)
{
	node->next = node;
	node->prev = node;
}

static inline bool list_is_empty(const struct list *head)
{
	return head->next == head;
}

/* Append node, which is unlinked, to the end of the list. */
static inline void list_push(struct list *head, struct list *node)
{
	node->prev = head->prev;
	node->next = head;
	head->prev->next = node;
	head->prev = node;
}

/* Put `to`, whatever it was, in the place of `from`, a node or a head, which is unlinked then. */
static inline void list_replace(struct list *from, struct list *to)
{
	list_init(to);
	if (!list_is_empty(from)) {
		*to = *from;
		to->next->prev = to;
		to->prev->next = to;
		list_init(from);
	}
}

static inline void list_exchange(struct list *a, struct list *b)
{
	struct list was_a;

	list_replace(a, &was_a);
	list_replace(b, a);
	list_replace(&was_a, b);
}

/* Unlink; a node that is not linked stays so. */
static inline void list_remove(struct list *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
	list_init(node);
}
