/*
 * A launch that is repeated, with a script in QEMU's place that returns when it is told to: while
 * it runs one asker waits for it, another one may take that place when the first has left, nothing
 * is taken up beside it, and its end reaches whoever waits by then, once.
 */
#undef NDEBUG
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/base/file.h"
#include "orchestrator/machine/priv.h"

/* Who waits for a launch. */
struct asker {
	unsigned int n_calls;
	char cause[sizeof((struct failure *)0)->cause];
};

static void on_done(const struct failure *failure, void *arg)
{
	struct asker *asker = arg;

	asker->n_calls++;
	snprintf(asker->cause, sizeof(asker->cause), "%s", failure ? failure->cause : "");
}

static void on_down(struct machine *machine, void *arg)
{
	(*(unsigned int *)arg)++;
}

/* The script keeps its words, and returns 3 as soon as somebody writes to the pipe beside it. */
static void script_make(const char *path, const char *fifo)
{
	_cleanup_(freep) char *text = text_format(
	        "#!/bin/sh\necho \"$*\" >%s.words\nread word <%s\nexit 3\n", path, fifo);

	assert(file_write(path, text, strlen(text)) == 0);
	assert(chmod(path, 0700) == 0 && mkfifo(fifo, 0600) == 0);
}

static void script_return(const char *fifo)
{
	_cleanup_(fd_closep) int fd = open(fifo, O_WRONLY | O_CLOEXEC);

	assert(fd >= 0 && write(fd, "x\n", 2) == 2);
}

static void test_launch(struct machine *machine, const char *fifo)
{
	struct asker first = {0}, second = {0};
	const struct child_worker *launcher;

	assert(machine_launch(machine, on_done, &first) == 0);
	launcher = machine->launcher;
	assert(launcher && machine_state(machine) == MACHINE_STARTING);
	assert(machine_launch(machine, on_done, &second) == -EBUSY);
	assert(machine_take_back(machine) == 0);
	assert(machine_state(machine) == MACHINE_STARTING && machine->pidfd < 0);
	machine_forget(machine, &first);
	assert(machine_launch(machine, on_done, &second) == 0 && machine->launcher == launcher);
	script_return(fifo);
	while (!second.n_calls) {
		assert(event_base_loop(machine->machines->base, EVLOOP_ONCE) == 0);
	}
	assert(!first.n_calls && second.n_calls == 1);
	assert(strstr(second.cause, "QEMU did not start (exit status 3)"));
	assert(machine_state(machine) == MACHINE_DOWN && !machine->launcher);
	assert(!strcmp(machine_why(machine), second.cause));
}

/* Runs the launch to its end, which is the script's. */
static void launch_fails(struct machine *machine, const char *fifo)
{
	struct asker asker = {0};

	assert(machine_launch(machine, on_done, &asker) == 0);
	script_return(fifo);
	while (!asker.n_calls) {
		assert(event_base_loop(machine->machines->base, EVLOOP_ONCE) == 0);
	}
}

static bool dir_has(const struct machine *machine, const char *name)
{
	_cleanup_(freep) char *path = text_format("%s/%s", machine->dir, name);

	return access(path, F_OK) == 0;
}

static void dir_put(const struct machine *machine, const char *name, const char *text)
{
	_cleanup_(freep) char *path = text_format("%s/%s", machine->dir, name);

	assert(file_write_unsynced(path, text, strlen(text)) == 0);
}

/* The image has a seed, and is of no use to anybody once QEMU has not started. */
static void test_image_goes(struct machine *machine, const char *fifo)
{
	dir_put(machine, QEMU_IMAGE, "a seed");
	launch_fails(machine, fifo);
	assert(!dir_has(machine, QEMU_IMAGE));
}

/* Whether QEMU was given these words. */
static bool words_have(const struct machine *machine, const char *words)
{
	_cleanup_(freep) char *path = text_format("%s/qemu.words", machine->dir);
	_cleanup_(freep) uint8_t *text = NULL;
	size_t size;

	assert(file_read(path, 65536, &text, &size) == 0);
	return memmem(text, size, words, strlen(words)) != NULL;
}

/* A machine has the memory that image and kernel were made for; without such a word that of the configuration. */
static void test_memory(struct machine *machine, const char *fifo)
{
	launch_fails(machine, fifo);
	assert(words_have(machine, " -m 1M "));
	dir_put(machine, QEMU_MEMORY, "100663296\n");
	launch_fails(machine, fifo);
	assert(words_have(machine, " -m 96M "));
}

/* A kernel that was moved and is gone is not replaced by the one that was linked. */
static void test_kernel_gone(struct machine *machine, const char *fifo)
{
	struct asker asker = {0};

	machine->row.kernel = 3;
	dir_put(machine, QEMU_IMAGE, "a seed");
	assert(machine_launch(machine, on_done, &asker) == MACHINE_E_NO_KERNEL);
	assert(!machine->launcher && !machine->launch_done && !asker.n_calls);
	assert(!dir_has(machine, QEMU_IMAGE));
	dir_put(machine, QEMU_KERNEL, "moved");
	launch_fails(machine, fifo);
	assert(words_have(machine, "/" QEMU_KERNEL " -initrd "));
	machine->row.kernel = 0;
}

int main(void)
{
	static const struct machines_ops ops = {.down = on_down};
	char dir[] = "/tmp/process_test.XXXXXX";
	_cleanup_(freep) char *script = NULL;
	_cleanup_(freep) char *fifo = NULL;
	unsigned int n_down = 0;
	struct config config = {.kernel = "none",
	        .machine_accel = "tcg",
	        .machine_memory_bytes = 1 << 20,
	        .machine_cpus = 1,
	        .boot_timeout_usec = UINT64_C(60000000)};
	struct machines machines = {.config = &config, .ops = &ops, .arg = &n_down};
	struct machine machine = {.machines = &machines, .pidfd = -1};

	assert(mkdtemp(dir));
	script = text_format("%s/qemu", dir);
	fifo = text_format("%s/fifo", dir);
	script_make(script, fifo);
	config.qemu = script;
	machines.base = event_base_new();
	machine.dir = dir;
	LIST_INIT(&machine.refreshing);
	machine_tally(&machine);
	test_launch(&machine, fifo);
	assert(n_down == 1);
	test_image_goes(&machine, fifo);
	test_memory(&machine, fifo);
	test_kernel_gone(&machine, fifo);
	machine_tally_end(&machine);
	free(machines.notable);
	event_base_free(machines.base);
	assert(dir_remove(dir) == 0);
	err_forget();
	return 0;
}
