#pragma once
/*
 * The commands of luforge. Each gets argv with its own name first, and returns 0,
 * a negative errno (already reported), FORGE_USAGE, or an exit code of its own.
 */
/* Become luforge-kit, and luforge-compare; and what those do. */
int cmd_kit(int argc, char **argv);
int cmd_kit_make(int argc, char **argv);
int cmd_compare(int argc, char **argv);
int cmd_compare_layouts(int argc, char **argv);

int cmd_entropy(int argc, char **argv);
int cmd_variant(int argc, char **argv);
int cmd_batch(int argc, char **argv);
int cmd_verify(int argc, char **argv);
int cmd_image(int argc, char **argv);
int cmd_pair(int argc, char **argv);
int cmd_import(int argc, char **argv);
int cmd_state(int argc, char **argv);
int cmd_inspect(int argc, char **argv);
