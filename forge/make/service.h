#pragma once
/*
 * NAME.service: everything about a service that is not in its code. Lines of
 * "key value..."; '#' starts a comment. The keys are listed in forge/README.md.
 * Most of it becomes the kit manifest; libraries are for the link only.
 */
#include <stddef.h>

#include "forge/base/mem.h"
#include "proto/envelope/manifest.h"

#define SERVICE_LIBRARIES_MAX 8u

struct service {
	struct kit_manifest manifest;           /* hashes and issued not filled in */
	char *libraries[SERVICE_LIBRARIES_MAX]; /* "libc.a"; owned */
	size_t n_libraries;
	struct buf text; /* the file as it is */
};

void service_fini(struct service *service);

/* Read a description. Kernel calls are looked up in the table calls_path (calls.def). */
int service_read(struct service *ret_service, const char *path, const char *calls_path);
