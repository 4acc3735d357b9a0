#include "osd/servers/rs/hook.h"

void hook_step(struct update_txn *txn)
{
	(void)txn;
}
