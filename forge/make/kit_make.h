#pragma once
/*
 * Making a release kit; the command line is parsed in forge/cmd/kit_make.c. Strings of a request are
 * borrowed and must live until kit_make() returns.
 */
#include <stddef.h>
#include <stdint.h>

#include "forge/base/tool.h"

struct kit_request {
	const char *out; /* directory to make or to replace */
	const char *service_path;
	const char *calls_path;
	const char *reviewed_path; /* list of reviewed library objects, or NULL */
	const char *cache;         /* directory for generated code, or NULL */
	const char *objects;       /* directory for objects that lld can lay out alike, or NULL */
	const char *const *inputs; /* bitcode and assembled objects */
	size_t n_inputs;
	const char *const *library_dirs; /* none: where Debian has them */
	size_t n_library_dirs;
	const char *const *unit_maps; /* "FROM=TO" */
	size_t n_unit_maps;
	uint32_t counter, floor; /* counter 0: as the service description says */
	uint64_t issued;         /* unix s */
	uint8_t source_id[TOOL_HASH_SIZE];
};

/*
 * Make the kit, from bitcode to the list of its files. It is made beside ->out and takes its place
 * at the end in one step, so on failure an older kit there is what it was. 0, or a negative errno,
 * reported.
 */
int kit_make(const struct kit_request *request);
