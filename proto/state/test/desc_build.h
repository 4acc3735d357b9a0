/*
 * Makes state descriptions in memory, for tests. Types get their ids in the order of
 * calls; a struct's members must follow it directly. Entries are named by the order of calls
 * until desc_build_finish() sorts them; desc_build_index() tells the final place.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/state/state_desc.h"

struct desc_build;

struct desc_build *desc_build_new(const char *service);
struct desc_build *desc_build_free(struct desc_build *build);

uint32_t desc_build_int(
        struct desc_build *build, const char *name, uint32_t size, uint32_t encoding);
uint32_t desc_build_float(struct desc_build *build, const char *name, uint32_t size);
/* Pointers, aliases, forward declarations, functions: kinds without more than a type. */
uint32_t desc_build_ref(
        struct desc_build *build, enum state_btf_kind kind, const char *name, uint32_t type);
uint32_t desc_build_array(struct desc_build *build, uint32_t type, uint32_t n);
/* Struct or union of `size` bytes. */
uint32_t desc_build_record(
        struct desc_build *build, enum state_btf_kind kind, const char *name, uint32_t size);
/* Lets a pointer or alias that was made before its target lead to it. */
void desc_build_retarget(struct desc_build *build, uint32_t id, uint32_t type);
/* To the newest record; returns the member's number. */
uint32_t desc_build_member(struct desc_build *build, const char *name, uint32_t type,
        uint32_t bit_off, uint32_t bit_size);
uint32_t desc_build_enum(struct desc_build *build, const char *name, uint32_t size);
void desc_build_enumerator(struct desc_build *build, const char *name, int32_t value);
/* Of 8 bytes; its enumerators follow in the same way. */
uint32_t desc_build_enum64(struct desc_build *build, const char *name, bool is_signed);
void desc_build_enumerator64(struct desc_build *build, const char *name, uint64_t value);

/* For string literals `name` is the content and `size` counts its final NUL. */
uint32_t desc_build_entry(struct desc_build *build, enum state_entry_kind kind, const char *unit,
        const char *scope, const char *name, uint32_t type, uint64_t size);
void desc_build_entry_flags(struct desc_build *build, uint32_t entry, uint32_t flags);
/* `text` without its prefix; owner is a type id or an entry, as desc_build_entry() numbers them. */
void desc_build_tag(struct desc_build *build, enum state_tag_scope scope, uint32_t owner,
        uint32_t member, const char *text);

/* The file: *ret_size bytes, owned by the build. Nothing may be added afterwards. */
void *desc_build_finish(struct desc_build *build, size_t *ret_size);
uint32_t desc_build_index(const struct desc_build *build, uint32_t entry);
