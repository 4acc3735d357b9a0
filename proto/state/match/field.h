/*
 * Members of records, their annotations, and what types have to do with each other.
 */
#pragma once

#include "proto/state/report/report.h"

/* Of what the old release renamed: whether its names mean the same in the new one is not known. */
#define RENAMED_BACK "renamed in the old release, and the former name is in use without that note"

#define RENAMED_TWICE "renamed from what another one was renamed from"

/* A member of a record, with those of its anonymous structs in their place. */
struct state_field {
	const char *name;
	uint32_t type;
	uint32_t owner; /* record and number, for its tags */
	uint32_t index;
	uint64_t bit_off;
	uint32_t bit_size;
	uint32_t partner; /* number of the other side's field, or STATE_NONE */
};

struct state_fields {
	struct state_field *field;
	uint32_t n;
};

/* What annotations say of a member, a variable or a type. */
struct state_notes {
	bool skip;
	bool raw;
	const char *handler;
	uint32_t version;
};

bool state_fields_get(
        struct state_report *r, enum state_age age, uint32_t type, struct state_fields *ret);
/* The member of this name; NULL: none, or no members. */
const struct state_field *state_field_named(const struct state_fields *fields, const char *name);
/*
 * Find partners. Returns a new member that was renamed from what another one
 * was renamed from, or NULL.
 */
const struct state_field *state_fields_pair(
        const struct state_sides *s, struct state_fields *old, struct state_fields *new);
/* The same for plans: two members that were renamed from one are an error. */
enum state_code state_fields_partner(
        struct state_report *r, struct state_fields *old, struct state_fields *new);
/* Looks at the renamed types, once, before names are matched; refuses two from one. */
enum state_code state_names_prepare(struct state_sides *s, struct state_report *r);
/* May a record of the old type become one of the new type? */
bool state_names_match(const struct state_sides *s, uint32_t old_type, uint32_t new_type);
struct state_notes state_notes_of_type(const struct state_desc *desc, uint32_t type);
struct state_notes state_notes_of_field(
        const struct state_desc *desc, const struct state_field *field);
struct state_notes state_notes_of_entry(const struct state_desc *desc, uint32_t entry);
/* The type without aliases that carry no annotation. */
bool state_type_has_notes(const struct state_desc *desc, uint32_t id);
uint32_t state_type_noted(const struct state_desc *desc, uint32_t id);
/* Aliases aside. Numbers: integers, bools, enums of any size. */
bool state_type_is_number(const struct state_desc *desc, uint32_t id);
bool state_type_is_enum(const struct state_desc *desc, uint32_t id);
/* Plain characters are bytes, which programs use either way: their sign means nothing. */
bool state_type_is_char(const struct state_desc *desc, uint32_t id);
/* Do pointers to x and to y mean the same? */
bool state_type_same(const struct state_desc *desc, uint32_t x, uint32_t y, unsigned depth);
struct state_bits state_bits_of(const struct state_desc *desc, uint32_t type, uint64_t bit_off,
        uint32_t bit_size, uint64_t from_bit);

/* name.c: does the path `unit` end in these components? */
bool state_unit_matches(const char *unit, const char *file, size_t len);

/* type.c: may values of the old type become values of the new type, by their names? Not exact:
 * numbers and pointers of any name. */
bool state_types_alike(
        const struct state_sides *s, uint32_t old_type, uint32_t new_type, bool exact);

/* signature.c: may pointers to the old function i lead to the new function k? */
bool state_signatures_match(const struct state_sides *s, uint32_t i, uint32_t k);

/* dropped.c: may it be lost, as one of the two releases says? `name` as in an error. */
bool state_entry_is_dropped(const struct state_sides *s, uint32_t i);
/* The same, by the new release's words only: what is merely expendable may have a place there. */
bool state_entry_is_named_dropped(const struct state_sides *s, uint32_t i);
bool state_type_is_dropped(const struct state_sides *s, uint32_t old_type, const char *name);
bool state_member_is_dropped(
        const struct state_sides *s, uint32_t new_type, const struct state_field *old);
