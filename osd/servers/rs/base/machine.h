#pragma once
/*
 * What RS knows of itself and of its machine: one record, filled while the machine boots. The boot
 * image stays mapped, read-only, as long as the machine runs.
 */
#include "osd/abi/start.h"
#include "osd/servers/rs/trust/trust.h"
#include "proto/image/image.h"

#define NSEC_USEC UINT64_C(1000)
#define NSEC_MSEC (1000 * NSEC_USEC)
#define NSEC_SEC (1000 * NSEC_MSEC)
#define NSEC_NEVER UINT64_MAX

struct machine {
	const struct start_info *start; /* the kernel's, for RS itself; mapped for good */
	struct boot_view boot;
	struct trust_state trust; /* handed to trust.c with each call */
	nsec_t boot_done;         /* 0: services are still starting */
};
extern struct machine machine;

/*
 * Whether payloads that the host made are proved by making them again of their kits. The word
 * `kits=none` of the boot configuration says that there is no room for kits; nothing else does.
 */
bool machine_keeps_kits(void);
/* Seconds that the machine has been up. */
uint64_t rs_uptime(void);
