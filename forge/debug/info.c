/*
 * Walking DWARF through libdw: every variable with one fixed address and every function with
 * code, sorted by address. Variables in functions, blocks and inlined copies are found too. A
 * variable without such an address (in a register, on the stack) is not a place of the
 * program.
 */
#include "forge/debug/info.h"

#include <dwarf.h>
#include <string.h>

#include "forge/base/report.h"

void debug_info_fini(struct debug_info *info)
{
	free(info->places);
	dwarf_end(info->dwarf);
	(void)elf_end(info->elf);
	*info = (struct debug_info){0};
}

/* Names and units stay in the debug data, which lives as long as *info. */
static void debug_add(struct debug_info *info, enum debug_kind kind, uint64_t addr, Dwarf_Die *die,
        const char *unit)
{
	struct debug_place p = {.addr = addr, .kind = kind, .name = "", .unit = unit, .die = *die};
	const char *name = dwarf_diename(die);

	if (name) {
		p.name = name;
	}
	(void)dwarf_decl_line(die, &p.line);
	MEM_PUSH(info->places, info->n_places, info->capacity);
	info->places[info->n_places++] = p;
}

/*
 * The address of a variable that lies in one fixed place: a location of exactly one
 * operation, an address or an index into the unit's table of addresses.
 */
static bool debug_variable_address(Dwarf_Die *die, uint64_t *ret_addr)
{
	Dwarf_Attribute attr, value;
	Dwarf_Op *op;
	Dwarf_Addr addr;
	size_t n;

	if (!dwarf_attr(die, DW_AT_location, &attr) || dwarf_getlocation(&attr, &op, &n) != 0 ||
	        n != 1) {
		return false;
	}
	if (op->atom == DW_OP_addr) {
		*ret_addr = op->number;
		return true;
	}
	/* DWARF 5 keeps addresses in a table of the unit. */
	if ((op->atom == DW_OP_addrx || op->atom == DW_OP_GNU_addr_index) &&
	        dwarf_getlocation_attr(&attr, op, &value) == 0 &&
	        dwarf_formaddr(&value, &addr) == 0) {
		*ret_addr = addr;
		return true;
	}
	return false;
}

/* What a static variable may be in; declarations and types hold none. */
static bool debug_holds_variables(int tag)
{
	return tag == DW_TAG_subprogram || tag == DW_TAG_lexical_block ||
	       tag == DW_TAG_inlined_subroutine;
}

/*
 * Depth is that of the source's nesting. Inlined copies of a function list its statics again:
 * same address, found as several places.
 */
static void debug_walk(struct debug_info *info, Dwarf_Die *parent, const char *unit)
{
	Dwarf_Die die;
	uint64_t addr;
	Dwarf_Addr low;
	int r, tag;

	for (r = dwarf_child(parent, &die); r == 0; r = dwarf_siblingof(&die, &die)) {
		tag = dwarf_tag(&die);
		if (tag == DW_TAG_variable && debug_variable_address(&die, &addr)) {
			debug_add(info, DEBUG_VARIABLE, addr, &die, unit);
		}
		if (tag == DW_TAG_subprogram && dwarf_lowpc(&die, &low) == 0) {
			debug_add(info, DEBUG_FUNCTION, low, &die, unit);
		}
		if (debug_holds_variables(tag)) {
			debug_walk(info, &die, unit);
		}
	}
}

static int debug_place_compare(const void *a, const void *b)
{
	const struct debug_place *x = a, *y = b;

	if (x->addr != y->addr) {
		return x->addr < y->addr ? -1 : 1;
	}
	/* qsort is not stable: keep the order of the debug data. */
	return dwarf_dieoffset((Dwarf_Die *)&x->die) < dwarf_dieoffset((Dwarf_Die *)&y->die) ? -1
	                                                                                     : 1;
}

/*
 * Units in their order; those of other kinds than compile units (type units, skeletons) place
 * nothing.
 */
int debug_info_init(struct debug_info *ret_info, const struct elf_file *linked)
{
	struct debug_info info = {0};
	Dwarf_CU *cu = NULL;
	Dwarf_Die die;
	uint8_t type;

	(void)elf_version(EV_CURRENT);
	info.elf = elf_memory((char *)linked->data.bytes, linked->data.len);
	info.dwarf = info.elf ? dwarf_begin_elf(info.elf, DWARF_C_READ, NULL) : NULL;
	if (!info.dwarf) {
		(void)elf_end(info.elf);
		return report_refuse(linked->label, "no debug data (%s); compile services with -g",
		        dwarf_errmsg(-1));
	}
	while (dwarf_get_units(info.dwarf, cu, &cu, NULL, &type, &die, NULL) == 0) {
		const char *name = dwarf_diename(&die);

		if (dwarf_tag(&die) == DW_TAG_compile_unit) {
			debug_walk(&info, &die, name ? name : "");
		}
	}
	if (info.n_places > 0) {
		qsort(info.places, info.n_places, sizeof(*info.places), debug_place_compare);
	}
	*ret_info = info;
	return 0;
}

/* The first place at or above an address. */
static size_t debug_first_at(const struct debug_info *info, uint64_t addr)
{
	size_t low = 0, high = info->n_places, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (info->places[middle].addr < addr) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return low;
}

/*
 * Several places may share an address: inlined copies, aliases, a variable and the type of
 * one inside it.
 */
const struct debug_place *debug_info_find(
        const struct debug_info *info, enum debug_kind kind, uint64_t addr, const char *name)
{
	const struct debug_place *found = NULL;
	size_t i;

	for (i = debug_first_at(info, addr); i < info->n_places && info->places[i].addr == addr;
	        i++) {
		if (info->places[i].kind != kind) {
			continue;
		}
		if (strcmp(info->places[i].name, name) == 0) {
			return &info->places[i];
		}
		if (!found || (!*found->name && *info->places[i].name)) {
			found = &info->places[i];
		}
	}
	return found;
}
