/*
 * Could an end of a connection start with these files? For tests: `tls_end server|client CA CRL CERTIFICATE KEY`. Says
 * what is wrong, and fails then.
 */
#include <stdio.h>
#include <string.h>

#include "host/tls/context.h"

int main(int argc, char **argv)
{
	struct tls_files files;
	struct failure failure;
	SSL_CTX *context;
	int r;

	if (argc != 6) {
		return 2;
	}
	files = (struct tls_files){argv[2], argv[3], argv[4], argv[5]};
	r = !strcmp(argv[1], "server") ? tls_server_context(&files, &context, &failure)
	                               : tls_client_context(&files, &context, &failure);
	if (r < 0) {
		printf("%s: %s (%s)\n", failure.place, failure.cause, failure.remedy);
		return 1;
	}
	SSL_CTX_free(context);
	return 0;
}
