/*
 * luforge-compare: what `luforge compare` becomes (forge/cmd/become.c). It is a program of its own
 * because it alone needs capstone. Messages and exit codes are luforge's.
 */
#include "forge/base/report.h"
#include "forge/cmd/cmd.h"

int main(int argc, char **argv)
{
	return report_exit_code(cmd_compare_layouts(argc, argv));
}
