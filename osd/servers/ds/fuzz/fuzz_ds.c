/*
 * DS at work, with three clients that send any words and grant any bytes, and a supervisor that
 * pings, prepares and cancels. What DS counts is what it has.
 */
#include <stdlib.h>

#include "osd/abi/sef.h"
#include "osd/lib/sef/test/host.h"
#include "osd/servers/ds/priv.h"

int service_main(void);

static const endpoint_t clients[] = {EP_MAKE(5, 1), EP_MAKE(6, 1), EP_MAKE(7, 3)};
static const endpoint_t everybody[] = {EP_MAKE(5, 1), EP_RS, EP_CLOCK};

static void count_check(void)
{
	struct ds_reply counts = {0};

	store_count(&counts);
	if (counts.n_keys > DS_KEYS_MAX || (counts.n_keys == 0 && counts.n_bytes != 0)) {
		abort();
	}
}

static void receive(struct message *ret_msg)
{
	uint8_t how = host_byte();

	count_check();
	if (how % 16 == 15) {
		*ret_msg = host_message(how < 128 ? SEF_BASE : 0, 8, everybody, 3);
	} else {
		*ret_msg = host_message(DS_BASE, DS_REQUEST_N + 2, clients, 3);
	}
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	host_init(&(struct host_setup){
	        .receive = receive, .name = "ds", .self = EP_MAKE(2, 1), .supervisor = EP_RS});
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	host_begin(data, size);
	host_run(service_main);
	return 0;
}
