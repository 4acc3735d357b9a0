#include "forge/args.h"
#include "forge/cmd.h"
int cmd_state(int argc, char **argv)
{
	return args_wrong("not here");
}
