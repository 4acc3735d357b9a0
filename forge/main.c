/*
 * luforge: the table of commands, the help made from it, and the exit code. A command says
 * itself what went wrong; nothing is printed here but for a command that is not there.
 */
#include <stdio.h>
#include <string.h>

#include "forge/base/report.h"
#include "forge/cmd/args.h"
#include "forge/cmd/cmd.h"

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *usage;
} commands[] = {
        {"kit", cmd_kit,
                "luforge kit --out DIR --service FILE --calls FILE [--counter N [--floor N]]\n"
                "            [--issued SECONDS] [--source-id HEX128] [--library-dir DIR]...\n"
                "            [--reviewed FILE] [--cache DIR] [--objects DIR] [--unit-map "
                "FROM=TO]...\n"
                "            INPUT...\n"
                "        make a release kit from bitcode and assembled objects"},
        {"variant", cmd_variant,
                "luforge variant --kit DIR --seed HEX64|- --out FILE [--base ADDRESS]\n"
                "                [--map FILE] [--root FILE [--release HEX128]]\n"
                "        make the payload that kit and seed determine"},
        {"batch", cmd_batch,
                "luforge batch --count N --seed HEX64|- KIT OUT\n"
                "        make N variants of a kit, each of a seed of its own; or the rest of them"},
        {"verify", cmd_verify,
                "luforge verify --kit DIR --envelope FILE SEED [--payload FILE] [--map FILE]\n"
                "               [--root FILE]\n"
                "luforge verify --kit DIR --commitment HEX128 SEED [--map FILE] [--root FILE]\n"
                "               SEED: --seed HEX64|-, or --sealed FILE --audit-key DIR\n"
                "        make a signed variant, or a layout that a machine made, again; say "
                "whether\n"
                "        it is identical, or what differs"},
        {"pair", cmd_pair,
                "luforge pair OLD NEW [--json]\n"
                "        show what an update between two kits carries over and loses, both ways"},
        {"compare", cmd_compare,
                "luforge compare --kit DIR A B [--json]\n"
                "luforge compare --kit DIR --seeds A B [--json]\n"
                "        show what who knows layout A knows of layout B: payloads, or their seeds"},
        {"entropy", cmd_entropy,
                "luforge entropy KIT [--variants N] [--json]\n"
                "        show how much of a layout is left to guess after one pointer has leaked"},
        {"import", cmd_import,
                "luforge import --root FILE --store DIR [--into DIR] KIT\n"
                "        copy a signed kit into a store of releases; print its path"},
        {"state", cmd_state,
                "luforge state FILE\n"
                "luforge state --elf PROGRAM --out FILE [--service NAME] [--addresses FILE]\n"
                "        print a state description (of a kit, or the file); or write one"},
        {"image", cmd_image,
                "luforge image --out FILE LIST\n"
                "luforge image --out FILE --randomize-kernel KERNEL --kernel-seed HEX64|-\n"
                "              --memory BYTES --kernel-out FILE LIST\n"
                "        write a boot image from a list; and the kernel, moved to where the seed "
                "says"},
        {"inspect", cmd_inspect,
                "luforge inspect FILE\n"
                "luforge inspect --root FILE [--release HEX128] KIT\n"
                "        print what a payload, boot image or kit holds; verify a kit's signature"},
};

#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

/* docs/docs_test.py compares this with luforge(1). */
static void main_help(void)
{
	size_t i;

	printf("luforge makes release kits, variants and boot images.\n\n");
	for (i = 0; i < N_COMMANDS; i++) {
		printf("%s\n\n", commands[i].usage);
	}
	printf("Exit codes: 0 done, 1 wrong usage, 2 an input was refused, 3 a tool or the\n"
	       "system failed; pair: 4 state would be lost, 5 there is no such update;\n"
	       "verify: 6 the layout was not made of this kit and seed.\n"
	       "forge/README.md tells the rest.\n");
}

int main(int argc, char **argv)
{
	size_t i;

	if (argc < 2) {
		return report_exit_code(args_wrong("no command"));
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
		main_help();
		return 0;
	}
	for (i = 0; i < N_COMMANDS; i++) {
		if (strcmp(argv[1], commands[i].name) == 0) {
			return report_exit_code(commands[i].run(argc - 1, argv + 1));
		}
	}
	return report_exit_code(args_wrong("there is no command '%s'", argv[1]));
}
