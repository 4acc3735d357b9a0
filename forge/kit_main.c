/*
 * luforge-kit: what `luforge kit` becomes (forge/cmd/become.c). It is a program of its own because it
 * alone needs LLVM. Messages and exit codes are luforge's.
 */
#include "forge/base/report.h"
#include "forge/cmd/cmd.h"

int main(int argc, char **argv)
{
	return report_exit_code(cmd_kit_make(argc, argv));
}
