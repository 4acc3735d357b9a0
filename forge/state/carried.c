/*
 * The description asked the other way round. It is collected from symbols that debug data knows;
 * what is written and was not found that way would be lost in every update, and nobody would be
 * told: a symbol that is called otherwise than its variable looks like an alias, and what an
 * assembler made has no debug data. So each writable symbol of the service itself must lie in one
 * of the variables, whoever compiled or assembled it. Data without a symbol is not seen here, but
 * by piece_check_carried().
 */
#include "forge/base/report.h"
#include "forge/state/entry.h"

/* Does an update carry over what lies there? Witnesses carry nothing and are found by name. */
static bool carried_has(const struct entry_list *list, uint64_t addr)
{
	size_t i;

	for (i = 0; i < list->n; i++) {
		const struct entry *e = &list->items[i];

		if ((e->kind == STATE_VARIABLE && !e->readonly && addr - e->addr < e->size) ||
		        (e->kind == STATE_SITE && addr == e->addr)) {
			return true;
		}
	}
	return false;
}

/*
 * The one object that a symbol of the program came from, when it is the service's own; NULL for
 * libraries, which the review judges, and for what the linker defined.
 */
static const struct object *carried_own_object(
        const struct state_request *q, const struct names *origins, const struct elf_symbol *s)
{
	const uint64_t *origin = names_find(origins, s->name);
	const struct object *o = origin ? &q->objects->items[*origin] : NULL;

	return o && !o->archive ? o : NULL;
}

/* A variable of C that has no size carries nothing. */
int carried_check(
        const struct entry_list *list, const struct state_request *q, const struct names *origins)
{
	const struct elf_file *linked = q->linked;
	int err = 0;
	size_t i;

	for (i = 0; i < linked->n_symbols; i++) {
		const struct elf_symbol *s = &linked->symbols[i];
		const struct elf_section *section = elf_symbol_section(linked, s);
		const struct object *o = section ? carried_own_object(q, origins, s) : NULL;

		if (!o || (section->flags & SHF_ALLOC) == 0 || entry_is_readonly(section) ||
		        s->type == STT_SECTION ||
		        (s->size == 0 && s->type == STT_OBJECT && o->debug) ||
		        carried_has(list, s->value)) {
			continue;
		}
		err = report_refuse(o->elf.label,
		        "writable object %s is no variable that debug data tells of, so every "
		        "update would lose its value; define it in C, compiled with -g, under its "
		        "own name (without an assembler label)",
		        s->name);
	}
	return err;
}
