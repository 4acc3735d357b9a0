/* VM: memory of the whole machine. */
#include "osd/lib/sef/sef.h"
#include "osd/servers/vm/priv.h"

static err_t vm_init_fresh(void)
{
	boot_take_over((const struct boot_info *)sef_start()->boot_info);
	return E_OK;
}

static const struct sef_callbacks callbacks = {.init_fresh = vm_init_fresh};

int main(void)
{
	struct message msg;

	sef_startup(&callbacks);
	sef_receive(&msg);
	for (;;) {
		if (msg.type == MSG_NOTIFY) {
			fault_answer_all();
			sef_receive(&msg);
		} else {
			(void)table_dispatch(&msg); /* VM always replies */
			sef_reply_receive(&msg);
		}
	}
}
