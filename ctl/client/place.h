#pragma once
/* Where things are when nobody says so: in the build tree that luctl lies in, else where
 * a system keeps them. The caller frees. */

/* lud's socket: $SAMSARA_SOCKET, build/run/lud.sock, /var/lib/samsara/lud.sock, XDG. */
char *place_socket(void);
/* The build directory: $SAMSARA_BUILD, or the one that luctl lies in; NULL: neither. */
char *place_build(void);
/* The keyring: $SAMSARA_KEYS, build/keys, /etc/samsara/keys. */
char *place_keys(void);
/* The CA of connections: $SAMSARA_CA, build/ca, /etc/samsara/ca. */
char *place_ca(void);
