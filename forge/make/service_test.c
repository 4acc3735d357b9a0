/* Every key is read into its field, and every mistake is refused with its line. */
#undef NDEBUG
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "forge/make/service.h"

static const char calls[] = "/* KCALL(number, name, ...) */\n"
                            "KCALL(0x1000, null, \"\", ALL)\n"
                            "KCALL(0x1045, port_in, \"port\", MASK)\n";

static const char head[] = "service ds\nstate work-free\nheap_limit 1M\nstack_size 64K\n";

static char *dir;

static int service_try(const char *text, struct service *ret)
{
	MEM_FREE char *path = mem_printf("%s/x.service", dir);
	MEM_FREE char *calls_path = mem_printf("%s/calls.def", dir);

	assert(mem_write_file(calls_path, calls, strlen(calls)) == 0);
	assert(mem_write_file(path, text, strlen(text)) == 0);
	return service_read(ret, path, calls_path);
}

static void test_everything(void)
{
	struct service s;
	struct kit_manifest *m = &s.manifest;
	MEM_FREE char *text = mem_printf("%s%s", head,
	        "# a comment\n\n"
	        "release 7\nfloor 0x3   # with a comment behind\n"
	        "rank 5\npriority 3\nquantum_usec 2000\n"
	        "calls null port_in\nslots 12\n"
	        "targets rs vm\ntargets tty\n"
	        "depends rs\nmetrics operations errors\n"
	        "io 0x3f8-0x3ff 0x80\nmmio 0xfeb00000 0x1000\nirq 4 5\n"
	        "restart same\nrestart_limit 3\nheartbeat_ms 500\ncontrol yes\n"
	        "library libc.a libsodium.a\n");

	assert(service_try(text, &s) == 0);
	assert(strcmp(m->service, "ds") == 0 && strcmp(m->quiescent, "work-free") == 0);
	assert(m->counter == 7 && m->floor == 3 && m->rank == 5 && m->priority == 3);
	assert(m->quantum_usec == 2000 && m->heap_limit == 1 << 20 && m->stack_size == 65536);
	assert(m->call_mask[0] == 1 && m->call_mask[1] == 1 << 5 && m->n_slots == 12);
	assert(m->n_targets == 3 && strcmp(m->targets[2], "tty") == 0);
	assert(m->n_depends == 1 && m->n_metrics == 2 && strcmp(m->metrics[1], "errors") == 0);
	assert(m->n_io == 2 && m->io[0].last == 0x3ff && m->io[1].first == m->io[1].last);
	assert(m->n_mmio == 1 && m->mmio[0].base == 0xfeb00000 && m->mmio[0].len == 4096);
	assert(m->n_irqs == 2 && m->irqs[1] == 5);
	assert(m->restart == KIT_RESTART_SAME && m->restart_limit == 3);
	assert(m->heartbeat_ms == 500 && m->flags == KIT_CONTROL);
	assert(s.n_libraries == 2 && strcmp(s.libraries[1], "libsodium.a") == 0);
	assert(strcmp((char *)s.text.bytes, text) == 0);
	service_fini(&s);
}

static void test_mistakes(void)
{
	static const char *const bad[] = {
	        "colour red\n",
	        "rank\n",
	        "rank 1 2\n",
	        "rank five\n",
	        "rank 256\n",
	        "rank -1\n",
	        "calls nul\n",
	        "targets a23456789012345678901234\n",
	        "targets a b c d e f g h i j k l m n o p q\n",
	        "io 9-5\n",
	        "io 0x10000\n",
	        "io 1 2 3 4 5 6 7 8 9\n",
	        "mmio 4096\n",
	        "mmio 1 4096\n",
	        "mmio 4096 0\n",
	        "irq 256\n",
	        "irq 1 2 3 4 5 6 7 8 9\n",
	        "restart maybe\n",
	        "restart\n",
	        "control perhaps\n",
	        "heap_limit 1G\n",
	        "heap_limit 99999999999999999999\n",
	        "heap_limit 18014398509481985K\n",
	        "library 1 2 3 4 5 6 7 8 9\n",
	        "service ds dx\n",
	};
	struct service s = {0};
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		MEM_FREE char *text = mem_printf("%s%s", head, bad[i]);

		assert(service_try(text, &s) < 0);
		assert(s.text.bytes == NULL);
	}
	assert(service_try("state work-free\nheap_limit 4K\nstack_size 4K\n", &s) < 0);
	assert(service_try("service ds\nstate work-free\nheap_limit 4K\n", &s) < 0);
	assert(service_try("service ds\nheap_limit 4K\nstack_size 4K\n", &s) < 0);
}

/* A misspelt state would make the service impossible to update, and nobody would see why. */
static void test_states(void)
{
	static const struct {
		const char *word;
		bool is_good;
	} cases[] = {
	        {"work-free", true},
	        {"request-free", true},
	        {"none", true},
	        {"", false},
	        {"workfree", false},
	        {"work-fre", false},
	        {"work-free request-free", false},
	        {"protocol-free", false},
	        {"unreachable", false},
	        {"prepare-crash", false},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		MEM_FREE char *text = mem_printf(
		        "service ds\nheap_limit 4K\nstack_size 4K\nstate %s\n", cases[i].word);
		struct service s = {0};

		assert((service_try(text, &s) == 0) == cases[i].is_good);
		assert(!cases[i].is_good || strcmp(s.manifest.quiescent, cases[i].word) == 0);
		service_fini(&s);
	}
}

int main(void)
{
	assert(mem_temp_dir(&dir) == 0);
	test_everything();
	test_mistakes();
	test_states();
	mem_remove_dir(dir);
	free(dir);
	return 0;
}
