/*
 * Types from DWARF to nodes. A type is entered in the table of known ones, by its offset in
 * the debug data, before what it refers to is read, so that a type may lead back to itself.
 * One that is met again while it is being read must be behind a pointer: ->level counts the
 * pointers on the way, and a type met at its own level contains itself and is refused.
 *
 * Nodes may move while the graph grows: they are referred to by number, and a node is put in
 * its place when it has been read. Only our annotations are kept of the many in debug data.
 * Kinds that BTF cannot describe are refused here, with file and line.
 */
#include "forge/debug/type_graph.h"

#include <dwarf.h>
#include <string.h>

#include "forge/base/mem.h"
#include "forge/base/report.h"
#include "proto/state/state.h"

#ifndef DW_TAG_LLVM_annotation
#define DW_TAG_LLVM_annotation 0x6000
#endif

void type_graph_init(struct type_graph *g)
{
	*g = (struct type_graph){.level = 1};
	MEM_PUSH(g->nodes, g->n_nodes, g->node_capacity);
	g->nodes[g->n_nodes++] = (struct type_node){.name = ""};
}

void type_graph_fini(struct type_graph *g)
{
	free(g->nodes);
	free(g->members);
	free(g->values);
	free(g->tags);
	free(g->known);
	free(g->class);
	*g = (struct type_graph){0};
}

/* Open addressing; the table is at most half full, so the walk ends. */
static struct type_slot *type_slot_for(const struct type_graph *g, uint64_t key)
{
	size_t i = (key * UINT64_C(0x9e3779b97f4a7c15) >> 32) & (g->known_slots - 1);

	while (g->known[i].key != 0 && g->known[i].key != key) {
		i = (i + 1) & (g->known_slots - 1);
	}
	return &g->known[i];
}

/* The slots move: no pointer to one survives an insertion. */
static void type_known_grow(struct type_graph *g)
{
	struct type_graph bigger = {.known_slots = g->known_slots ? g->known_slots * 2 : 256};
	size_t i;

	bigger.known = mem_zalloc(bigger.known_slots, sizeof(*bigger.known));
	for (i = 0; i < g->known_slots; i++) {
		if (g->known[i].key != 0) {
			*type_slot_for(&bigger, g->known[i].key) = g->known[i];
		}
	}
	free(g->known);
	g->known = bigger.known;
	g->known_slots = bigger.known_slots;
}

/* The slot of a type; its node is 0 when the type is new. */
static struct type_slot *type_known(struct type_graph *g, Dwarf_Die *type)
{
	const uint64_t key = dwarf_dieoffset(type) + 1;
	struct type_slot *slot;

	if (g->n_known * 2 >= g->known_slots) {
		type_known_grow(g);
	}
	slot = type_slot_for(g, key);
	if (slot->key == 0) {
		slot->key = key;
		g->n_known++;
	}
	return slot;
}

static const char *type_name_of(Dwarf_Die *die)
{
	const char *name = dwarf_diename(die);

	return name ? name : "";
}

/*
 * A number of a DIE, its abstract origin and specification included; `absent` when it has
 * none.
 */
static uint64_t type_number(Dwarf_Die *die, unsigned int name, uint64_t absent)
{
	Dwarf_Attribute attr;
	Dwarf_Word v;

	if (!dwarf_attr_integrate(die, name, &attr) || dwarf_formudata(&attr, &v) != 0) {
		return absent;
	}
	return v;
}

/* The text of an annotation, when it is one of ours. */
static const char *type_tag_text(Dwarf_Die *die)
{
	const char *name = dwarf_diename(die), *text;
	Dwarf_Attribute attr;

	if (dwarf_tag(die) != DW_TAG_LLVM_annotation || !name ||
	        strcmp(name, "btf_decl_tag") != 0) {
		return NULL;
	}
	text = dwarf_formstring(dwarf_attr(die, DW_AT_const_value, &attr));
	if (!text || strncmp(text, STATE_TAG_PREFIX, strlen(STATE_TAG_PREFIX)) != 0) {
		return NULL;
	}
	return text;
}

void type_graph_add_tag(struct type_graph *g, struct type_range *range, const char *text)
{
	MEM_PUSH(g->tags, g->n_tags, g->tag_capacity);
	g->tags[g->n_tags++] = text;
	range->n++;
}

/* Tags of one DIE are contiguous: nothing else is added between them. */
struct type_range type_graph_add_tags(struct type_graph *g, Dwarf_Die *die)
{
	struct type_range range = {.first = (uint32_t)g->n_tags};
	const char *text;
	Dwarf_Die child;
	int r;

	for (r = dwarf_child(die, &child); r == 0; r = dwarf_siblingof(&child, &child)) {
		text = type_tag_text(&child);
		if (text) {
			type_graph_add_tag(g, &range, text);
		}
	}
	return range;
}

/* Refuse a type, by the place of its declaration. */
static int type_refuse(Dwarf_Die *die, const char *what)
{
	MEM_FREE char *where =
	        mem_printf("%s:%d", dwarf_decl_file(die) ? dwarf_decl_file(die) : "debug data",
	                (int)type_number(die, DW_AT_decl_line, 0));

	return report_refuse(where, "type '%s': %s", type_name_of(die), what);
}

int type_graph_add_of(struct type_graph *g, Dwarf_Die *die, uint32_t *ret_node)
{
	Dwarf_Attribute attr;
	Dwarf_Die type;

	if (!dwarf_attr_integrate(die, DW_AT_type, &attr)) {
		*ret_node = 0;
		return 0;
	}
	if (!dwarf_formref_die(&attr, &type)) {
		return report_refuse("debug data", "%s", dwarf_errmsg(-1));
	}
	return type_graph_add(g, &type, ret_node);
}

/*
 * Integers of every width, booleans, floats. Complex and decimal numbers have no place in
 * BTF.
 */
static int type_read_base(Dwarf_Die *die, struct type_node *node)
{
	node->kind = TYPE_INT;
	node->size = type_number(die, DW_AT_byte_size, 0);
	switch (type_number(die, DW_AT_encoding, 0)) {
	case DW_ATE_boolean:
		node->flags = TYPE_BOOL;
		return 0;
	case DW_ATE_signed:
		node->flags = TYPE_SIGNED;
		return 0;
	case DW_ATE_signed_char:
		node->flags = TYPE_SIGNED | TYPE_CHAR;
		return 0;
	case DW_ATE_unsigned_char:
		node->flags = TYPE_CHAR;
		return 0;
	case DW_ATE_unsigned:
	case DW_ATE_UTF:
		return 0;
	case DW_ATE_float:
		node->kind = TYPE_FLOAT;
		return 0;
	default:
		return type_refuse(die, "this kind of number cannot be described");
	}
}

/* Where a member lies, in bits. */
static uint64_t type_member_bits(Dwarf_Die *die)
{
	if (dwarf_hasattr(die, DW_AT_data_bit_offset)) {
		return type_number(die, DW_AT_data_bit_offset, 0);
	}
	return type_number(die, DW_AT_data_member_location, 0) * 8;
}

/*
 * The limits are BTF's: 24 bits for the place of a bitfield, 32 for that of a member. Members
 * without a name (anonymous structs) keep "".
 */
static int type_read_member(struct type_graph *g, Dwarf_Die *die, struct type_member *ret)
{
	struct type_member m = {.name = type_name_of(die),
	        .bit_off = type_member_bits(die),
	        .bit_size = (uint32_t)type_number(die, DW_AT_bit_size, 0)};
	int r;

	if (m.bit_size != 0 && m.bit_off >= UINT64_C(1) << 24) {
		return type_refuse(
		        die, "a bitfield lies beyond 2 MiB of its struct; move it forward");
	}
	if (m.bit_off > UINT32_MAX) {
		return type_refuse(die, "a member lies beyond 512 MiB of its struct");
	}
	m.tags = type_graph_add_tags(g, die);
	r = type_graph_add_of(g, die, &m.type);
	*ret = m;
	return r;
}

/* Members are gathered first: the types they lead to append theirs meanwhile. */
static int type_read_members(struct type_graph *g, Dwarf_Die *die, struct type_range *ret)
{
	MEM_FREE struct type_member *found = NULL;
	size_t n = 0, capacity = 0, i;
	Dwarf_Die child;
	int r, more;

	for (more = dwarf_child(die, &child); more == 0; more = dwarf_siblingof(&child, &child)) {
		if (dwarf_tag(&child) != DW_TAG_member) {
			continue;
		}
		MEM_PUSH(found, n, capacity);
		r = type_read_member(g, &child, &found[n++]);
		if (r < 0) {
			return r;
		}
	}
	if (n > UINT16_MAX) {
		return type_refuse(die, "more than 65,535 members");
	}
	*ret = (struct type_range){(uint32_t)g->n_members, (uint32_t)n};
	for (i = 0; i < n; i++) {
		MEM_PUSH(g->members, g->n_members, g->member_capacity);
		g->members[g->n_members++] = found[i];
	}
	return 0;
}

/*
 * A declaration alone is a forward: what points to it cannot be followed, and pairing says so
 * if it matters.
 */
static int type_read_record(struct type_graph *g, Dwarf_Die *die, struct type_node *node)
{
	const bool is_union = dwarf_tag(die) == DW_TAG_union_type;

	if (dwarf_hasattr(die, DW_AT_declaration)) {
		node->kind = TYPE_FORWARD;
		node->flags = is_union ? TYPE_UNION_FORWARD : 0;
		return 0;
	}
	node->kind = is_union ? TYPE_UNION : TYPE_STRUCT;
	node->size = type_number(die, DW_AT_byte_size, 0);
	if (node->size > UINT32_MAX) {
		return type_refuse(die, "larger than 4 GiB");
	}
	return type_read_members(g, die, &node->members);
}

/* The signedness is the underlying type's; without one (DWARF before 3) it is unsigned. */
static int type_read_enum(struct type_graph *g, Dwarf_Die *die, struct type_node *node)
{
	Dwarf_Attribute attr;
	Dwarf_Sword value;
	uint32_t base;
	Dwarf_Die child;
	int r;

	node->kind = TYPE_ENUM;
	node->size = type_number(die, DW_AT_byte_size, 0);
	r = type_graph_add_of(g, die, &base);
	if (r < 0) {
		return r;
	}
	while (g->nodes[base].kind == TYPE_TYPEDEF) {
		base = g->nodes[base].ref;
	}
	node->flags = g->nodes[base].flags & TYPE_SIGNED;
	node->values.first = (uint32_t)g->n_values;
	for (r = dwarf_child(die, &child); r == 0; r = dwarf_siblingof(&child, &child)) {
		if (dwarf_tag(&child) == DW_TAG_enumerator &&
		        dwarf_formsdata(dwarf_attr(&child, DW_AT_const_value, &attr), &value) ==
		                0) {
			MEM_PUSH(g->values, g->n_values, g->value_capacity);
			g->values[g->n_values++] = (struct type_value){type_name_of(&child), value};
			node->values.n++;
		}
	}
	return node->values.n > UINT16_MAX ? type_refuse(die, "more than 65,535 values") : 0;
}

/*
 * Elements of a dimension; 0 for a flexible array. A count may be an expression or another
 * variable (arrays of variable length): those have no place in static data and count as 0.
 */
static int type_dimension(Dwarf_Die *array, Dwarf_Die *range, uint64_t *ret_n)
{
	Dwarf_Attribute attr;

	if (dwarf_attr(range, DW_AT_count, &attr) && dwarf_whatform(&attr) != DW_FORM_exprloc &&
	        !dwarf_formref_die(&attr, &(Dwarf_Die){0})) {
		*ret_n = type_number(range, DW_AT_count, 0);
	} else if (dwarf_hasattr(range, DW_AT_upper_bound)) {
		*ret_n = type_number(range, DW_AT_upper_bound, 0) + 1;
	} else {
		*ret_n = 0;
	}
	return *ret_n > UINT32_MAX ? type_refuse(array, "more than 2^32 elements") : 0;
}

#define TYPE_DIMENSIONS_MAX 8

/* The first dimension becomes this node, further ones nodes of their own inside it. */
static int type_read_array(struct type_graph *g, Dwarf_Die *die, struct type_node *node)
{
	uint64_t size[TYPE_DIMENSIONS_MAX];
	Dwarf_Die child;
	size_t n = 0;
	uint32_t ref;
	int r, more;

	r = type_graph_add_of(g, die, &ref);
	for (more = dwarf_child(die, &child); r == 0 && more == 0;
	        more = dwarf_siblingof(&child, &child)) {
		if (dwarf_tag(&child) != DW_TAG_subrange_type) {
			continue;
		}
		if (n == TYPE_DIMENSIONS_MAX) {
			return type_refuse(die, "more than 8 dimensions");
		}
		r = type_dimension(die, &child, &size[n++]);
	}
	if (r < 0) {
		return r;
	}
	while (n > 1) {
		MEM_PUSH(g->nodes, g->n_nodes, g->node_capacity);
		g->nodes[g->n_nodes] = (struct type_node){
		        .kind = TYPE_ARRAY, .name = "", .size = size[--n], .ref = ref};
		ref = (uint32_t)g->n_nodes++;
	}
	*node = (struct type_node){
	        .kind = TYPE_ARRAY, .name = "", .size = n ? size[0] : 0, .ref = ref};
	return 0;
}

/* Typedefs and qualifiers are nodes of their own: annotations and names hang on them. */
static int type_read_alias(
        struct type_graph *g, Dwarf_Die *die, enum type_kind kind, struct type_node *node)
{
	node->kind = kind;
	return type_graph_add_of(g, die, &node->ref);
}

/*
 * One level deeper while the target is read: a type that is met again there does not contain
 * itself.
 */
static int type_read_pointer(struct type_graph *g, Dwarf_Die *die, struct type_node *node)
{
	int r;

	node->size = 8;
	g->level++;
	r = type_read_alias(g, die, TYPE_POINTER, node);
	g->level--;
	return r;
}

/*
 * What each kind of type becomes. Kinds that are missing here are refused by name: guessing a
 * layout would corrupt state.
 */
static int type_read(struct type_graph *g, Dwarf_Die *die, struct type_node *node)
{
	switch (dwarf_tag(die)) {
	case DW_TAG_base_type:
		return type_read_base(die, node);
	case DW_TAG_pointer_type:
		return type_read_pointer(g, die, node);
	case DW_TAG_typedef:
		return type_read_alias(g, die, TYPE_TYPEDEF, node);
	case DW_TAG_const_type:
		return type_read_alias(g, die, TYPE_CONST, node);
	case DW_TAG_volatile_type:
		return type_read_alias(g, die, TYPE_VOLATILE, node);
	case DW_TAG_restrict_type:
		return type_read_alias(g, die, TYPE_RESTRICT, node);
	case DW_TAG_structure_type:
	case DW_TAG_union_type:
		return type_read_record(g, die, node);
	case DW_TAG_enumeration_type:
		return type_read_enum(g, die, node);
	case DW_TAG_array_type:
		return type_read_array(g, die, node);
	case DW_TAG_subroutine_type:
		node->kind = TYPE_FUNCTION;
		return 0;
	default:
		return type_refuse(die, "this kind of type cannot be described");
	}
}

/*
 * The node of a type, from the table or read now. The node is reserved before it is read and
 * filled after: reading may add thousands of others and move the array.
 */
int type_graph_add(struct type_graph *g, Dwarf_Die *type, uint32_t *ret_node)
{
	struct type_slot *slot;
	struct type_node node;
	uint32_t number;
	int r;

	if (dwarf_tag(type) == DW_TAG_atomic_type) {
		return type_graph_add_of(g, type, ret_node);
	}
	slot = type_known(g, type);
	if (slot->node != 0) {
		*ret_node = slot->node;
		/* Read at this moment, with no pointer in between. */
		return slot->level == g->level ? type_refuse(type, "it contains itself") : 0;
	}
	/* Known before it is read, so that a type may lead back to itself. */
	number = (uint32_t)g->n_nodes;
	slot->node = number;
	slot->level = g->level;
	MEM_PUSH(g->nodes, g->n_nodes, g->node_capacity);
	g->nodes[g->n_nodes++] = (struct type_node){.name = ""};
	node = (struct type_node){.name = type_name_of(type),
	        .align = (uint32_t)type_number(type, DW_AT_alignment, 0),
	        .tags = type_graph_add_tags(g, type)};
	r = type_read(g, type, &node);
	type_known(g, type)->level = 0;
	g->nodes[number] = node;
	*ret_node = number;
	return r;
}
