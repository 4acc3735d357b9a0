/*
 * A function's signature in words. Typedefs and qualifiers are seen through; records and enums
 * are named and not looked into; what has no name is called by its typedef. Types that go
 * deeper than SIGNATURE_DEPTH end in "...", so the words are bounded whatever the debug data
 * says.
 */
#include "forge/debug/signature.h"

#include <dwarf.h>

#include "forge/base/mem.h"

#define SIGNATURE_DEPTH 8

static void signature_add_type(struct buf *out, Dwarf_Die *owner, unsigned int depth);

/*
 * What a definition, or a copy of an inlined function, goes back to: the DIE that has name
 * and parameters. Bounded, should the debug data go in circles.
 */
static Dwarf_Die signature_origin(Dwarf_Die *function)
{
	Dwarf_Die die = *function;
	Dwarf_Attribute attr;
	int i;

	for (i = 0; i < SIGNATURE_DEPTH; i++) {
		if (!dwarf_attr(&die, DW_AT_abstract_origin, &attr) &&
		        !dwarf_attr(&die, DW_AT_specification, &attr)) {
			break;
		}
		if (!dwarf_formref_die(&attr, &die)) {
			break;
		}
	}
	return die;
}

/*
 * Types only; names of parameters may change without a caller noticing. "..." for a variable
 * number.
 */
static void signature_add_parameters(struct buf *out, Dwarf_Die *function, unsigned int depth)
{
	const char *comma = "";
	Dwarf_Die child;
	int r;

	buf_printf(out, "(");
	for (r = dwarf_child(function, &child); r == 0; r = dwarf_siblingof(&child, &child)) {
		if (dwarf_tag(&child) == DW_TAG_formal_parameter) {
			buf_printf(out, "%s", comma);
			signature_add_type(out, &child, depth);
			comma = ",";
		} else if (dwarf_tag(&child) == DW_TAG_unspecified_parameters) {
			buf_printf(out, "%s...", comma);
		}
	}
	buf_printf(out, ")");
}

static bool signature_sees_through(int tag)
{
	return tag == DW_TAG_typedef || tag == DW_TAG_const_type || tag == DW_TAG_volatile_type ||
	       tag == DW_TAG_restrict_type || tag == DW_TAG_atomic_type;
}

/* The type that a DIE has, without typedefs and qualifiers; false: void. *ret_alias names what has
 * no name of its own. */
static bool signature_type(Dwarf_Die *owner, Dwarf_Die *ret, const char **ret_alias)
{
	Dwarf_Attribute attr;
	Dwarf_Die die = *owner;

	*ret_alias = "";
	do {
		if (!dwarf_attr_integrate(&die, DW_AT_type, &attr) ||
		        !dwarf_formref_die(&attr, &die)) {
			return false;
		}
		if (dwarf_tag(&die) == DW_TAG_typedef && dwarf_diename(&die)) {
			*ret_alias = dwarf_diename(&die);
		}
	} while (signature_sees_through(dwarf_tag(&die)));
	*ret = die;
	return true;
}

/*
 * The words of one type. Records are named and not entered, so a changed member does not
 * change signatures: calls pass pointers, and what is behind them is transferred by type.
 */
static void signature_add_type(struct buf *out, Dwarf_Die *owner, unsigned int depth)
{
	const char *alias, *name;
	Dwarf_Die type;

	if (!signature_type(owner, &type, &alias)) {
		buf_printf(out, "void");
		return;
	}
	if (depth == SIGNATURE_DEPTH) {
		buf_printf(out, "...");
		return;
	}
	name = dwarf_diename(&type) ? dwarf_diename(&type) : alias;
	switch (dwarf_tag(&type)) {
	case DW_TAG_pointer_type:
		signature_add_type(out, &type, depth + 1);
		buf_printf(out, "*");
		return;
	case DW_TAG_array_type:
		signature_add_type(out, &type, depth + 1);
		buf_printf(out, "[]");
		return;
	case DW_TAG_subroutine_type:
		signature_add_type(out, &type, depth + 1);
		signature_add_parameters(out, &type, depth + 1);
		return;
	case DW_TAG_structure_type:
		buf_printf(out, "struct %s", name);
		return;
	case DW_TAG_union_type:
		buf_printf(out, "union %s", name);
		return;
	case DW_TAG_enumeration_type:
		buf_printf(out, "enum %s", name);
		return;
	default:
		buf_printf(out, "%s", name);
		return;
	}
}

char *signature_of(Dwarf_Die *function)
{
	Dwarf_Die origin = signature_origin(function);
	MEM_CLEANUP(buf_fini) struct buf out = {0};

	signature_add_type(&out, &origin, 0);
	signature_add_parameters(&out, &origin, 0);
	return mem_strdup((const char *)out.bytes);
}
