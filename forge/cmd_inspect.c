#include "forge/args.h"
#include "forge/cmd.h"
int cmd_inspect(int argc, char **argv)
{
	return args_wrong("not here");
}
