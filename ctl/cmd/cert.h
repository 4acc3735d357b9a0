#pragma once
/* What the commands of `luctl cert` share. They are offline: files of this host, and no lud. */
#include "ctl/cmdline/cmdline.h"
#include "host/base/failure.h"
#include "host/tls/ca.h"

/* Print a failure of host/tls; returns the exit code that its kind has. */
int cert_fail(int error, const struct failure *failure);
/* The directory of the CA: --ca, or the usual place. The caller frees. */
char *cert_ca_dir(const struct options *options);
/* Open the CA that is meant. CTL_OK, or an exit code after the reason was printed. */
int cert_ca_open(const struct options *options, struct tls_ca **ret_ca);
void cert_ca_freep(struct tls_ca **ca);
/* Now, and for so many days: --days, else `days`. CTL_OK, or CTL_USAGE after the reason was printed. */
int cert_terms(const struct options *options, unsigned int days, struct tls_terms *ret_terms);
/* "user/NAME". CTL_OK, or CTL_USAGE after the reason was printed. */
int cert_identity(const char *text, struct tls_identity *ret_identity);
/* What of a name's certificates was issued last and is not revoked; NULL: there is none. */
const struct tls_issued *cert_newest(
        const struct tls_issued_list *list, const struct tls_identity *who);
bool cert_is_of(const struct tls_issued *issued, const struct tls_identity *who);
