/*
 * Which symbols can be put into another order. With function and data sections every function
 * and object has a section of its own, so one symbol stands for each section; its class is
 * the output section that it must stay in. Sections that the linker script places by itself,
 * and those that the linked program no longer has, are left out.
 *
 * A section with several symbols (a prebuilt library's, mostly) moves as one block under the
 * first of them. The file is text, written and read here; its order means nothing, since
 * every layout shuffles it, but is fixed, since the kit's hash covers it.
 */
#include "forge/layout/order.h"

#include <string.h>

#include "forge/base/names.h"
#include "forge/base/report.h"

static const char order_letters[_ORDER_CLASS_N] = {
        [ORDER_TEXT] = 't',
        [ORDER_RODATA] = 'r',
        [ORDER_RELRO] = 'R',
        [ORDER_DATA] = 'd',
        [ORDER_BSS] = 'b',
};

void order_fini(struct order *order)
{
	int c;

	for (c = 0; c < _ORDER_CLASS_N; c++) {
		free(order->names[c]);
	}
	free(order->text);
	*order = (struct order){0};
}

static bool order_starts(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

/* _ORDER_CLASS_N: sections that the linker script places by itself. */
static enum order_class order_class_of(const struct elf_section *s)
{
	if ((s->flags & SHF_ALLOC) == 0 || s->size == 0) {
		return _ORDER_CLASS_N;
	}
	if (order_starts(s->name, ".text")) {
		return ORDER_TEXT;
	}
	if (order_starts(s->name, ".rodata")) {
		return ORDER_RODATA;
	}
	if (order_starts(s->name, ".data.rel.ro")) {
		return ORDER_RELRO;
	}
	if (order_starts(s->name, ".data")) {
		return ORDER_DATA;
	}
	return order_starts(s->name, ".bss") ? ORDER_BSS : _ORDER_CLASS_N;
}

/* One line for each section of the object: the first symbol that names it. */
static void order_describe_object(
        const struct elf_file *elf, const struct names *live, struct buf *text)
{
	MEM_FREE bool *done = mem_zalloc(elf->n_sections, sizeof(*done));
	const struct elf_section *section;
	enum order_class class;
	size_t i;

	for (i = 0; i < elf->n_symbols; i++) {
		const struct elf_symbol *s = &elf->symbols[i];

		section = elf_symbol_section(elf, s);
		if (!section || done[s->section] || s->name[0] == '\0' || s->type == STT_SECTION ||
		        !names_find(live, s->name)) {
			continue;
		}
		class = order_class_of(section);
		if (class != _ORDER_CLASS_N) {
			buf_printf(text, "%c %s\n", order_letters[class], s->name);
		}
		done[s->section] = true;
	}
}

/*
 * What is alive is told by name: names are unique (forge/code) but for local ones of prebuilt
 * objects.
 */
void order_describe(
        const struct object_list *objects, const struct elf_file *linked, struct buf *ret_text)
{
	struct names live = {0};
	size_t i;

	for (i = 0; i < linked->n_symbols; i++) {
		if (linked->symbols[i].section != SHN_UNDEF) {
			(void)names_add(&live, linked->symbols[i].name, 0);
		}
	}
	for (i = 0; i < objects->n; i++) {
		order_describe_object(&objects->items[i].elf, &live, ret_text);
	}
	names_fini(&live);
}

/* One line; the name stays in the text, whose owner the order is. */
static int order_add(struct order *o, char *line, const char *where)
{
	int c;

	for (c = 0; c < _ORDER_CLASS_N; c++) {
		if (line[0] == order_letters[c] && line[1] == ' ') {
			MEM_PUSH(o->names[c], o->n[c], o->capacity[c]);
			o->names[c][o->n[c]++] = line + 2;
			return 0;
		}
	}
	return report_refuse(where, "damaged order file: '%s'; make the kit again", line);
}

/*
 * An empty file is an order of nothing. Names are not looked up: lld overlooks those that no
 * object has.
 */
int order_parse(struct order *ret_order, const char *where, const char *text)
{
	MEM_CLEANUP(order_fini) struct order o = {.text = mem_strdup(text)};
	char *next = o.text, *line;
	int r;

	while ((line = strsep(&next, "\n"))) {
		r = *line ? order_add(&o, line, where) : 0;
		if (r < 0) {
			return r;
		}
	}
	*ret_order = o;
	o = (struct order){0};
	return 0;
}
