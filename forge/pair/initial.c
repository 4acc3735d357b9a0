/*
 * Initial values of two linked programs, compared by the types of both releases: members by
 * name, numbers by value whatever their width, pointers by what they lead to. An update keeps
 * running values, so a new initial value takes no effect: whoever updates should know.
 *
 * A variable is reported once, with the path to the first difference. What is not comparable
 * (unions of different sizes, kinds that changed) is not a difference: pairing has its own
 * word on it. Constant tables that the program keeps pointers into are compared as well:
 * their contents come from the new program.
 *
 * The machine does not run this: it never has both programs side by side.
 */
#include <stdio.h>
#include <string.h>

#include "forge/pair/pair.h"

#define INITIAL_DEPTH 32

/* One comparison on its way down: where the finding goes, and the path so far ("a.b[3]"). */
struct compare {
	const struct pair *pair;
	struct pair_initial *found;
	struct buf path;
};

/* A place in one of the two programs; NULL bytes: zeros. */
struct place {
	const uint8_t *bytes;
	uint32_t type;
	uint64_t bit_off;
	uint32_t bit_size; /* 0: no bitfield */
};

static const struct state_desc *initial_desc(const struct compare *c, int age)
{
	return &c->pair->side[age]->desc;
}

/*
 * The bytes at an address of a linked program; false: none. NULL where memory starts as zeros. A
 * segment has both only with the end of its file between them, where no object lies.
 */
static bool initial_bytes(
        const struct image_view *linked, uint64_t addr, uint64_t size, const uint8_t **ret)
{
	for (uint32_t i = 0; i < linked->header->n_segments; i++) {
		const struct image_segment *s = &linked->segments[i];
		uint64_t at = addr - s->vaddr;

		if (addr < s->vaddr || size > s->mem_size || at > s->mem_size - size) {
			continue;
		}
		*ret = at < s->file_size ? image_segment_bytes(linked, i) + at : NULL;
		return at >= s->file_size || size <= s->file_size - at;
	}
	return false;
}

/* Up to 64 bits from any bit on, as little endian memory has them. */
static uint64_t initial_bits(const struct place *p, uint32_t n_bits)
{
	uint64_t value = 0;

	for (uint32_t i = 0; p->bytes != NULL && i < n_bits; i++) {
		uint64_t bit = p->bit_off + i;

		value |= (uint64_t)(p->bytes[bit / 8] >> bit % 8 & 1) << i;
	}
	return value;
}

/*
 * A number with its sign, at the width of its bitfield or type; at most 8 bytes, which the
 * caller has asked.
 */
static int64_t initial_number(const struct state_desc *desc, const struct place *p)
{
	uint32_t n = p->bit_size != 0 ? p->bit_size : (uint32_t)state_type_size(desc, p->type) * 8;
	uint64_t value = initial_bits(p, n);

	if (n < 64 && (state_type_encoding(desc, p->type) & STATE_BTF_SIGNED) != 0 &&
	        (value >> (n - 1) & 1) != 0) {
		value |= UINT64_MAX << n;
	}
	return (int64_t)value;
}

/* The entry that an address is in or ends, or UINT32_MAX. */
static uint32_t initial_entry(const struct pair_side *side, uint64_t addr)
{
	uint32_t best = UINT32_MAX;

	for (uint32_t i = 0; i < side->desc.n_entries; i++) {
		uint64_t start = side->linked.symbols[i];

		if (start != 0 && addr >= start && addr - start <= side->desc.entries[i].size &&
		        (best == UINT32_MAX || start > side->linked.symbols[best])) {
			best = i;
		}
	}
	return best;
}

/*
 * Addresses of two programs never agree; what they lead to may. NULL differs from anything
 * else; otherwise kind and name of the entries are compared. A pointer to nothing that is
 * described is no difference here.
 */
static bool initial_pointers_differ(const struct compare *c, const struct place p[2])
{
	const struct state_entry *entry[2];
	uint64_t addr[2];

	for (int age = 0; age < 2; age++) {
		const struct pair_side *side = c->pair->side[age];
		uint32_t i;

		addr[age] = initial_bits(&p[age], 64);
		i = addr[age] != 0 ? initial_entry(side, addr[age]) : UINT32_MAX;
		entry[age] = i != UINT32_MAX ? &side->desc.entries[i] : NULL;
	}
	if (addr[0] == 0 || addr[1] == 0) {
		return addr[0] != addr[1];
	}
	/* Where it leads inside may be another offset now; the same thing will do. */
	return entry[0] != NULL && entry[1] != NULL &&
	       (entry[0]->kind != entry[1]->kind ||
	               strcmp(state_desc_string(initial_desc(c, 0), entry[0]->name),
	                       state_desc_string(initial_desc(c, 1), entry[1]->name)) != 0);
}

/* Note the finding. Always true, so that a comparison can end with it. */
static bool initial_found(struct compare *c, bool is_number, const struct place p[2])
{
	c->found->is_number = is_number;
	for (int age = 0; is_number && age < 2; age++) {
		c->found->value[age] = initial_number(initial_desc(c, age), &p[age]);
	}
	c->found->member = mem_strdup(c->path.len != 0 ? (const char *)c->path.bytes : "");
	return true;
}

static bool initial_values_differ(struct compare *c, const struct place any[2], unsigned depth);

/* The same with a word behind the path. */
static bool initial_part_differs(struct compare *c, const char *dot, const char *word,
        const struct place p[2], unsigned depth)
{
	size_t len = c->path.len;
	bool r;

	buf_printf(&c->path, "%s%s", dot, word);
	r = initial_values_differ(c, p, depth + 1);
	c->path.len = len;
	if (c->path.bytes != NULL) {
		c->path.bytes[len] = 0;
	}
	return r;
}

/*
 * As many elements as both have. Two arrays of zeros are equal without a look: arrays of a
 * megabyte are common there.
 */
static bool initial_arrays_differ(struct compare *c, const struct place p[2], unsigned depth)
{
	const struct state_btf_array *a = state_type_array(initial_desc(c, 0), p[0].type);
	const struct state_btf_array *b = state_type_array(initial_desc(c, 1), p[1].type);
	uint32_t n = a->nelems < b->nelems ? a->nelems : b->nelems;
	uint64_t size[2] = {state_type_size(initial_desc(c, 0), a->type) * 8,
	        state_type_size(initial_desc(c, 1), b->type) * 8};

	if (p[0].bytes == NULL && p[1].bytes == NULL) {
		return false;
	}
	for (uint32_t i = 0; i < n; i++) {
		struct place element[2] = {p[0], p[1]};
		char index[16];

		element[0].type = a->type;
		element[1].type = b->type;
		element[0].bit_off += i * size[0];
		element[1].bit_off += i * size[1];
		(void)snprintf(index, sizeof(index), "[%u]", i);
		if (initial_part_differs(c, "", index, element, depth)) {
			return true;
		}
	}
	return false;
}

/* The old member of this name, or of the former one. */
static bool initial_member(const struct compare *c, const struct place p[2],
        const struct state_member *new, uint32_t index, struct state_member *ret)
{
	const struct state_desc *a = initial_desc(c, 0);
	const char *renamed =
	        state_desc_tag(initial_desc(c, 1), STATE_TAG_TYPE, p[1].type, index, "renamed", 0);

	for (unsigned pass = 0; pass < 2; pass++) {
		const char *name = pass == 0 ? renamed : new->name;

		for (uint32_t i = 0; name != NULL && i < state_type_count(a, p[0].type); i++) {
			*ret = state_type_member(a, p[0].type, i);
			if (strcmp(ret->name, name) == 0) {
				return true;
			}
		}
	}
	return false;
}

/*
 * Members of the new record that the old one has. What is new starts as the program says, and
 * that is no change.
 */
static bool initial_records_differ(struct compare *c, const struct place p[2], unsigned depth)
{
	for (uint32_t i = 0; i < state_type_count(initial_desc(c, 1), p[1].type); i++) {
		struct state_member new = state_type_member(initial_desc(c, 1), p[1].type, i);
		struct place part[2] = {p[0], p[1]};
		struct state_member old;

		if (!initial_member(c, p, &new, i, &old)) {
			continue;
		}
		part[0] = (struct place){
		        p[0].bytes, old.type, p[0].bit_off + old.bit_off, old.bit_size};
		part[1] = (struct place){
		        p[1].bytes, new.type, p[1].bit_off + new.bit_off, new.bit_size};
		if (initial_part_differs(c, new.name[0] != 0 ? "." : "", new.name, part, depth)) {
			return true;
		}
	}
	return false;
}

/*
 * Byte by byte, for what has no better meaning (floats, unions, wide integers), when the
 * sizes agree.
 */
static bool initial_bytes_differ(const struct compare *c, const struct place p[2])
{
	uint64_t size = state_type_size(initial_desc(c, 0), p[0].type);

	for (uint64_t i = 0; size == state_type_size(initial_desc(c, 1), p[1].type) && i < size;
	        i++) {
		uint8_t x = p[0].bytes != NULL ? p[0].bytes[p[0].bit_off / 8 + i] : 0;
		uint8_t y = p[1].bytes != NULL ? p[1].bytes[p[1].bit_off / 8 + i] : 0;

		if (x != y) {
			return true;
		}
	}
	return false;
}

static bool initial_is_number(enum state_btf_kind kind)
{
	return kind == STATE_BTF_INT || kind == STATE_BTF_ENUM || kind == STATE_BTF_ENUM64;
}

/*
 * Two places, each with its own type. `any` may have typedefs and qualifiers around it; they
 * are stripped. Depth is bounded: types nest, and a description could claim more than any
 * program has.
 */
static bool initial_values_differ(struct compare *c, const struct place any[2], unsigned depth)
{
	struct place p[2] = {any[0], any[1]};
	enum state_btf_kind kind[2];

	for (int age = 0; age < 2; age++) {
		p[age].type = state_type_strip(initial_desc(c, age), p[age].type);
		kind[age] = state_type_kind(initial_desc(c, age), p[age].type);
	}
	if (depth > INITIAL_DEPTH || (p[0].bytes == NULL && p[1].bytes == NULL)) {
		return false;
	}
	if (initial_is_number(kind[0]) && initial_is_number(kind[1])) {
		if (state_type_size(initial_desc(c, 0), p[0].type) > 8) {
			return initial_bytes_differ(c, p) && initial_found(c, false, p);
		}
		return initial_number(initial_desc(c, 0), &p[0]) !=
		               initial_number(initial_desc(c, 1), &p[1]) &&
		       initial_found(c, true, p);
	}
	if (kind[0] != kind[1]) {
		return false;
	}
	if (kind[0] == STATE_BTF_STRUCT) {
		return initial_records_differ(c, p, depth);
	}
	if (kind[0] == STATE_BTF_ARRAY) {
		return initial_arrays_differ(c, p, depth);
	}
	if (kind[0] == STATE_BTF_PTR) {
		return initial_pointers_differ(c, p) && initial_found(c, false, p);
	}
	return initial_bytes_differ(c, p) && initial_found(c, false, p);
}

/* Compare an old and a new entry's values in both programs; *ret is filled if they differ. */
static bool initial_entries_differ(
        const struct pair *pair, const uint32_t entry[2], struct pair_initial *ret)
{
	struct compare c = {.pair = pair, .found = ret};
	struct place p[2] = {0};
	bool is_there = true;
	bool r;

	*ret = (struct pair_initial){.entry = {entry[0], entry[1]}};
	for (int age = 0; age < 2; age++) {
		const struct pair_side *side = pair->side[age];
		const struct state_entry *e = &side->desc.entries[entry[age]];

		p[age].type = e->type;
		is_there &= initial_bytes(
		        &side->linked, side->linked.symbols[entry[age]], e->size, &p[age].bytes);
	}
	r = is_there && initial_values_differ(&c, p, 0);
	buf_fini(&c.path);
	return r;
}

/* What the rows of a constant table are; 0: it is none, or text. */
static uint32_t initial_table_row(const struct state_desc *desc, uint32_t i, uint32_t *ret_n)
{
	const struct state_entry *e = &desc->entries[i];
	uint32_t id = state_type_strip(desc, e->type), row;

	if (e->kind != STATE_VARIABLE || (e->flags & STATE_ENTRY_READONLY) == 0 ||
	        state_type_kind(desc, id) != STATE_BTF_ARRAY) {
		return 0;
	}
	*ret_n = state_type_array(desc, id)->nelems;
	row = state_type_strip(desc, state_type_array(desc, id)->type);
	return initial_is_number(state_type_kind(desc, row)) && state_type_size(desc, row) == 1
	               ? 0
	               : row;
}

/* Has the release pointers to such rows? Those of no type aside, which may lead anywhere. */
static bool initial_row_is_led_to(const struct state_desc *desc, uint32_t row)
{
	for (uint32_t id = 1; id < desc->n_types; id++) {
		uint32_t to = state_type_kind(desc, id) == STATE_BTF_PTR
		                      ? state_type_strip(desc, state_type(desc, id)->size_or_type)
		                      : 0;

		if (to != 0 && state_type_kind(desc, to) == state_type_kind(desc, row) &&
		        strcmp(state_type_name(desc, to), state_type_name(desc, row)) == 0) {
			return true;
		}
	}
	return false;
}

/*
 * One table of the old release and its partner. A table that got shorter differs at its new
 * end: pointers to rows beyond it lead nowhere. Rows that were only added are no difference.
 */
static void initial_compare_table(struct pair *pair, uint32_t i)
{
	uint32_t entry[2] = {i, state_pair_partner(pair->pairing, i)};
	struct pair_initial one;
	uint32_t n[2];
	uint32_t row = initial_table_row(&pair->side[0]->desc, i, &n[0]);

	if (row == 0 || entry[1] == UINT32_MAX ||
	        !initial_row_is_led_to(&pair->side[0]->desc, row) ||
	        initial_table_row(&pair->side[1]->desc, entry[1], &n[1]) == 0) {
		return;
	}
	if (!initial_entries_differ(pair, entry, &one)) {
		if (n[1] >= n[0]) {
			return;
		}
		one.member = mem_printf("[%u]", n[1]);
	}
	MEM_PUSH(pair->tables, pair->n_tables, pair->table_capacity);
	pair->tables[pair->n_tables++] = one;
}

/* Needs pair->pairing, and linked programs on both sides. */
void pair_compare_initial(struct pair *pair)
{
	struct pair_initial one;
	uint32_t entry[2];

	for (uint32_t n = 0; state_pair_variable(pair->pairing, n, entry); n++) {
		if (initial_entries_differ(pair, entry, &one)) {
			MEM_PUSH(pair->initial, pair->n_initial, pair->initial_capacity);
			pair->initial[pair->n_initial++] = one;
		}
	}
	for (uint32_t i = 0; i < pair->side[0]->desc.n_entries; i++) {
		initial_compare_table(pair, i);
	}
}
