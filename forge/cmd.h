#pragma once
/*
 * The commands of luforge. Each gets argv with its own name first, and returns 0,
 * a negative errno (already reported), or FORGE_USAGE.
 */
int cmd_kit(int argc, char **argv);
int cmd_variant(int argc, char **argv);
int cmd_image(int argc, char **argv);
int cmd_state(int argc, char **argv);
int cmd_inspect(int argc, char **argv);
