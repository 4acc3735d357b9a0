/*
 * Writing BTF through libbpf: one type for each class of equal nodes, numbered as the classes
 * are, so that an entry's type is its class. Functions' parameters are left out. libbpf gives
 * each type its number in the order of the calls; a number that is not the expected one is a
 * failure.
 */
#include "forge/debug/type_btf.h"

#include <bpf/btf.h>
#include <string.h>

#include "forge/base/report.h"

static const char *btf_name(const char *name)
{
	return *name ? name : NULL;
}

/* The three bits that BTF has for integers. */
static int btf_encoding(uint32_t flags)
{
	return (flags & TYPE_SIGNED ? BTF_INT_SIGNED : 0) | (flags & TYPE_CHAR ? BTF_INT_CHAR : 0) |
	       (flags & TYPE_BOOL ? BTF_INT_BOOL : 0);
}

/*
 * Members refer to types by class: classes that are not added yet included, since BTF checks
 * references only when it is read.
 */
static int btf_add_record(struct btf *btf, const struct type_graph *g, const struct type_node *node)
{
	int id = node->kind == TYPE_STRUCT
	                 ? btf__add_struct(btf, btf_name(node->name), (uint32_t)node->size)
	                 : btf__add_union(btf, btf_name(node->name), (uint32_t)node->size);
	uint32_t i;
	int r;

	for (i = 0; i < node->members.n && id > 0; i++) {
		const struct type_member *m = &g->members[node->members.first + i];

		r = btf__add_field(btf, btf_name(m->name), (int)g->class[m->type],
		        (uint32_t)m->bit_off, m->bit_size);
		if (r < 0) {
			return r;
		}
	}
	return id;
}

/*
 * BTF has two kinds of enum; the older one has 32 bits for a value, signed or not as the enum
 * is.
 */
static bool btf_enum_is_wide(const struct type_graph *g, const struct type_node *node)
{
	uint32_t i;

	for (i = 0; i < node->values.n; i++) {
		const int64_t v = g->values[node->values.first + i].value;

		if (node->flags & TYPE_SIGNED ? v != (int32_t)v : v != (uint32_t)v) {
			return true;
		}
	}
	return node->size > 4;
}

static int btf_add_enum(struct btf *btf, const struct type_graph *g, const struct type_node *node)
{
	const bool wide = btf_enum_is_wide(g, node);
	const bool is_signed = (node->flags & TYPE_SIGNED) != 0;
	int id, r;
	uint32_t i;

	id = wide ? btf__add_enum64(btf, btf_name(node->name), (uint32_t)node->size, is_signed)
	          : btf__add_enum(btf, btf_name(node->name), (uint32_t)node->size);
	for (i = 0; i < node->values.n && id > 0; i++) {
		const struct type_value *v = &g->values[node->values.first + i];

		r = wide ? btf__add_enum64_value(btf, v->name, (uint64_t)v->value)
		         : btf__add_enum_value(btf, v->name, v->value);
		if (r < 0) {
			return r;
		}
	}
	return id;
}

/* The number that libbpf gave the type, or a negative error. */
static int btf_add_node(struct btf *btf, const struct type_graph *g, const struct type_node *node)
{
	const int ref = (int)g->class[node->ref];

	switch (node->kind) {
	case TYPE_INT:
		return btf__add_int(btf, node->name, node->size, btf_encoding(node->flags));
	case TYPE_FLOAT:
		return btf__add_float(btf, node->name, node->size);
	case TYPE_POINTER:
		return btf__add_ptr(btf, ref);
	case TYPE_ARRAY:
		/* Void as the index type: nobody asks, and C has but one. */
		return btf__add_array(btf, 0, ref, (uint32_t)node->size);
	case TYPE_STRUCT:
	case TYPE_UNION:
		return btf_add_record(btf, g, node);
	case TYPE_ENUM:
		return btf_add_enum(btf, g, node);
	case TYPE_FORWARD:
		return btf__add_fwd(btf, node->name,
		        node->flags & TYPE_UNION_FORWARD ? BTF_FWD_UNION : BTF_FWD_STRUCT);
	case TYPE_TYPEDEF:
		return btf__add_typedef(btf, node->name, ref);
	case TYPE_VOLATILE:
		return btf__add_volatile(btf, ref);
	case TYPE_CONST:
		return btf__add_const(btf, ref);
	case TYPE_RESTRICT:
		return btf__add_restrict(btf, ref);
	case TYPE_FUNCTION:
		return btf__add_func_proto(btf, 0);
	case TYPE_VOID:
	case _TYPE_KIND_N:
		break;
	}
	return -1;
}

static int btf_add_nodes(struct btf *btf, const struct type_graph *g)
{
	uint32_t i, next = 1;
	int id;

	for (i = 1; i < g->n_nodes; i++) {
		if (g->class[i] != next) {
			continue;
		}
		id = btf_add_node(btf, g, &g->nodes[i]);
		if (id != (int)next) {
			return report_failed("libbpf", "type '%s' cannot be written as BTF (%d)",
			        g->nodes[i].name, id);
		}
		next++;
	}
	return 0;
}

/*
 * Where each type begins: the machine's reader finds type n without walking the n - 1 before
 * it.
 */
static void btf_write_offsets(const struct btf *btf, uint32_t n, struct buf *ret_offsets)
{
	const char *first = (const char *)btf__type_by_id(btf, 1);
	uint32_t id, off = 0;

	buf_add(ret_offsets, &off, sizeof(off));
	for (id = 1; id < n; id++) {
		off = (uint32_t)((const char *)btf__type_by_id(btf, id) - first);
		buf_add(ret_offsets, &off, sizeof(off));
	}
}

int type_btf_write(const struct type_graph *g, struct buf *ret_btf, struct buf *ret_offsets)
{
	struct btf *btf = btf__new_empty();
	const void *raw;
	uint32_t size;
	int r;

	if (!btf) {
		return report_failed("libbpf", "cannot make a BTF object");
	}
	r = btf_add_nodes(btf, g);
	if (r == 0) {
		raw = btf__raw_data(btf, &size);
		if (raw) {
			buf_add(ret_btf, raw, size);
			btf_write_offsets(btf, g->n_classes, ret_offsets);
		} else {
			r = report_failed("libbpf", "cannot write BTF");
		}
	}
	btf__free(btf);
	return r;
}
