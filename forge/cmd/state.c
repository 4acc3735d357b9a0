/*
 * luforge state: print a state description, or write one from any program. The second needs no kit;
 * kits get theirs from forge/make/kit_make.c, by the same state_write(). --addresses writes the
 * address of each entry's symbol beside it, as a payload has them.
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "forge/base/names.h"
#include "forge/base/report.h"
#include "forge/cmd/args.h"
#include "forge/cmd/cmd.h"
#include "forge/kit/kit.h"
#include "forge/state/print.h"
#include "forge/state/write.h"

/*
 * Print a kit's own description, or a file that is one. It passes the checker of the format before
 * anything is printed, and names are escaped. Negative errno, reported.
 */
static int state_show(const char *path)
{
	BUF_CLEANUP struct buf bytes = {0}, text = {0};
	MEM_CLEANUP(kit_fini) struct kit kit = {0};
	struct state_desc desc;
	enum state_desc_error error;
	struct stat st;
	int r;

	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
		r = kit_read(&kit, path, NULL);
		buf_add(&bytes, kit.state.bytes, kit.state.len);
	} else {
		r = buf_read_file(&bytes, path);
	}
	if (r < 0) {
		return r;
	}
	error = state_desc_check(bytes.bytes, bytes.len, &desc);
	if (error != STATE_DESC_OK) {
		return report_refuse(
		        path, "not a state description: %s", state_desc_error_text(error));
	}
	state_print(&desc, &text);
	buf_add(&text, "", 1);
	report_text(stdout, (const char *)text.bytes);
	return 0;
}

/*
 * The address of each entry's symbol, as u64s in the order of the entries: the vector that a
 * payload carries. A symbol that the program does not define is left out, so the vector is then
 * shorter.
 */
static int state_addresses(
        const struct elf_file *elf, const struct buf *symbols, struct buf *ret_addresses)
{
	MEM_FREE char *text = mem_strdup((char *)symbols->bytes);
	struct names names = {0};
	char *next = text, *line;
	uint64_t *found;
	size_t i;

	for (i = 0; i < elf->n_symbols; i++) {
		if (elf_symbol_section(elf, &elf->symbols[i])) {
			(void)names_add(&names, elf->symbols[i].name, elf->symbols[i].value);
		}
	}
	while ((line = strsep(&next, "\n"))) {
		found = *line ? names_find(&names, line) : NULL;
		if (found) {
			buf_add(ret_addresses, found, sizeof(*found));
		}
	}
	names_fini(&names);
	return 0;
}

/*
 * From a linked program with debug data; without objects, so what is a library's is not told
 * apart.
 */
static int state_make(
        const char *program, const char *service, const char *out, const char *addresses_path)
{
	MEM_CLEANUP(elf_file_fini) struct elf_file elf = {0};
	BUF_CLEANUP struct buf state = {0}, symbols = {0}, addresses = {0};
	const struct state_request q = {.service = service, .linked = &elf};
	int r;

	r = elf_file_read(&elf, program);
	if (r == 0) {
		r = state_write(&q, &state, &symbols);
	}
	if (r == 0) {
		r = buf_write_file(&state, out);
	}
	if (r < 0 || !addresses_path) {
		return r;
	}
	r = state_addresses(&elf, &symbols, &addresses);
	return r < 0 ? r : buf_write_file(&addresses, addresses_path);
}

/* Two forms, told apart by --elf. */
int cmd_state(int argc, char **argv)
{
	const char *elf = NULL, *out = NULL, *service = "program", *addresses = NULL;
	const struct args_option options[] = {
	        {"elf", "program", &elf, NULL},
	        {"out", "file", &out, NULL},
	        {"service", "name", &service, NULL},
	        {"addresses", "file", &addresses, NULL},
	        {0},
	};
	int n_operands, r;

	r = args_parse(argc, argv, options, &n_operands);
	if (r != 0) {
		return r;
	}
	if (elf && out && n_operands == 0 && strlen(service) < STATE_SERVICE_MAX) {
		return state_make(elf, service, out, addresses);
	}
	if (elf || out || n_operands != 1) {
		return args_wrong("state needs one file or kit, or --elf and --out");
	}
	return state_show(argv[1]);
}
