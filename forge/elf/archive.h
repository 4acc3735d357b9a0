#pragma once
/*
 * Prebuilt libraries: which members of which archives a service needs. Members
 * are taken out by their offset, because archives hold several of one name.
 */
#include <stddef.h>

#include "forge/elf/file.h"

/* One object that goes into the link. */
struct object {
	struct elf_file elf;
	char *archive; /* "libc.a", or NULL for the service's own code; owned */
	char *member;  /* "memcpy.lo"; of generated code the module's name; owned */
	char *debug;   /* of generated code: path of the object with debug data; owned */
	char *plain;   /* of generated code: path of the one without; owned */
};

struct object_list {
	struct object *items; /* owned */
	size_t n, capacity;
};

void object_list_fini(struct object_list *list);

/* Append an object of the service's own, or an archive member (names are copied). */
void object_list_add(
        struct object_list *list, struct elf_file *elf, const char *archive, const char *member);

/*
 * Append every archive member that the list needs, directly or through other
 * members: the first archive in paths[] that defines a symbol wins. What stays
 * undefined is left for the linker to report.
 */
int archive_resolve(struct object_list *list, const char *const paths[], size_t n_paths);
