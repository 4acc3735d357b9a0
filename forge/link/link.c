/*
 * Running lld with a linker script and, where there is one, an order file, in the caller's
 * directory. The flags are part of what makes a payload the same everywhere (one thread, no build
 * id, no tail merging); forge/README.md explains them.
 */
#include "forge/link/link.h"

#include "forge/base/report.h"
#include "forge/base/tool.h"

struct link_args {
	const char **items; /* owned array of borrowed strings */
	size_t n, capacity;
};

/* Append; the string must live until the link is over. NULL ends the list for tool_run(). */
static void link_arg(struct link_args *args, const char *arg)
{
	MEM_PUSH(args->items, args->n, args->capacity);
	args->items[args->n++] = arg;
}

/*
 * Each is part of what makes a payload the same everywhere; a change is a change of the
 * recipe.
 */
static const char *const link_flags[] = {
        tool_lld,
        "-static",
        "-nostdlib",
        /* Level 1 would merge one string into the tail of another. */
        "-O0",
        "--threads=1",
        "--build-id=none",
        "--gc-sections",
        "--no-warn-symbol-ordering",
        "-z",
        "norelro",
        "-z",
        "max-page-size=4096",
        "-z",
        "dead-reloc-in-nonalloc=.debug_*=0xffffffffffffffff",
};

/* Paths of what one link writes and reads besides its objects. */
struct link_files {
	char *script, *order, *out; /* owned */
};

static void link_files_fini(struct link_files *f)
{
	free(f->script);
	free(f->order);
	free(f->out);
}

static int link_prepare(const struct link_job *job, const struct link_files *f)
{
	int r = buf_write_file(job->script, f->script);

	return r < 0 || !job->order ? r : buf_write_file(job->order, f->order);
}

/*
 * Run lld and wait for it. Objects in the caller's order: it is part of what makes a payload the
 * same everywhere. What lld says is shown when it fails.
 */
static int link_spawn(const struct link_job *job, const struct link_files *f)
{
	struct link_args args = {0};
	size_t i;
	int r;

	for (i = 0; i < sizeof(link_flags) / sizeof(link_flags[0]); i++) {
		link_arg(&args, link_flags[i]);
	}
	link_arg(&args, "-T");
	link_arg(&args, f->script);
	if (job->order) {
		link_arg(&args, "--symbol-ordering-file");
		link_arg(&args, f->order);
	}
	link_arg(&args, "-o");
	link_arg(&args, f->out);
	for (i = 0; i < job->n_objects; i++) {
		link_arg(&args, job->objects[i]);
	}
	link_arg(&args, NULL);
	r = tool_run(args.items);
	free(args.items);
	return r;
}

/* The program is read back whole; the files stay in work_dir, which goes with the caller. */
int link_run(const struct link_job *job, struct elf_file *ret_linked)
{
	MEM_CLEANUP(link_files_fini)
	struct link_files f = {
	        .script = mem_printf("%s/script.ld", job->work_dir),
	        .order = mem_printf("%s/order.txt", job->work_dir),
	        .out = mem_printf("%s/linked.elf", job->work_dir),
	};
	BUF_CLEANUP struct buf data = {0};
	int r;

	r = link_prepare(job, &f);
	if (r == 0) {
		r = link_spawn(job, &f);
	}
	if (r == 0) {
		r = buf_read_file(&data, f.out);
	}
	return r < 0 ? r : elf_file_init(ret_linked, "the linked program", &data);
}
