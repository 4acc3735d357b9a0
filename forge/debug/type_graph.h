#pragma once
/*
 * The types of a program, taken out of DWARF into a plain graph. Nodes refer to
 * each other by number; 0 is void. Names point into the debug data, which must
 * stay open as long as the graph is used.
 *
 * Every compile unit brings its own copy of a type; type_graph_merge() finds which
 * nodes are equal in everything that can be reached from them, tags included.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <elfutils/libdw.h>

enum type_kind {
	TYPE_VOID,
	TYPE_INT,
	TYPE_FLOAT,
	TYPE_POINTER,
	TYPE_ARRAY,
	TYPE_STRUCT,
	TYPE_UNION,
	TYPE_ENUM,
	TYPE_FORWARD, /* a struct or union that is only declared */
	TYPE_TYPEDEF,
	TYPE_VOLATILE,
	TYPE_CONST,
	TYPE_RESTRICT,
	TYPE_FUNCTION, /* parameters are left out */
	_TYPE_KIND_N
};

enum type_flag {
	TYPE_SIGNED = 1,
	TYPE_CHAR = 2,
	TYPE_BOOL = 4,
	TYPE_UNION_FORWARD = 8,
};

/* A run of items in one of the graph's arrays. */
struct type_range {
	uint32_t first, n;
};

struct type_member {
	const char *name; /* "" when it has none */
	uint64_t bit_off;
	uint32_t bit_size;      /* of a bitfield, else 0 */
	uint32_t type;          /* node */
	struct type_range tags; /* in tags[] */
};

struct type_value {
	const char *name;
	int64_t value;
};

struct type_node {
	enum type_kind kind;
	uint32_t flags;            /* enum type_flag */
	const char *name;          /* "" when it has none */
	uint64_t size;             /* bytes; of an array: elements */
	uint32_t ref;              /* node behind a pointer, alias or array */
	uint32_t align;            /* asked for in the source, else 0 */
	struct type_range members; /* in members[] */
	struct type_range values;  /* of an enum, in values[] */
	struct type_range tags;    /* in tags[] */
};

struct type_graph {
	struct type_node *nodes; /* owned, as all arrays here */
	struct type_member *members;
	struct type_value *values;
	const char **tags;
	size_t n_nodes, n_members, n_values, n_tags;
	size_t node_capacity, member_capacity, value_capacity, tag_capacity;
	struct type_slot {
		uint64_t key; /* debug data offset of the type + 1; 0: free */
		uint32_t node;
		uint32_t level; /* while it is read: pointers on the way to it + 1; else 0 */
	} *known;               /* hash table by key */
	uint32_t level;         /* pointers on the way to what is read now + 1 */
	size_t n_known, known_slots;
	uint32_t *class; /* [n_nodes], after type_graph_merge(): 0 is void's */
	uint32_t n_classes;
};

void type_graph_init(struct type_graph *graph);
void type_graph_fini(struct type_graph *graph);

/* The node of a type (NULL: void), added with all it leads to. */
int type_graph_add(struct type_graph *graph, Dwarf_Die *type, uint32_t *ret_node);

/* The type a DIE has by DW_AT_type; void when it has none. */
int type_graph_add_of(struct type_graph *graph, Dwarf_Die *die, uint32_t *ret_node);

/* Append the state annotations of a DIE to tags[]. */
struct type_range type_graph_add_tags(struct type_graph *graph, Dwarf_Die *die);
/* One more to the newest range; the text must outlive the graph. */
void type_graph_add_tag(struct type_graph *graph, struct type_range *range, const char *text);

/* Bytes of an object; 0 when it has no size. */
uint64_t type_graph_size(const struct type_graph *graph, uint32_t node);
/* Alignment an object of this type has at least. */
uint64_t type_graph_align(const struct type_graph *graph, uint32_t node);

/* Number the classes of equal nodes 1, 2 ... in the order of their first members. */
void type_graph_merge(struct type_graph *graph);
