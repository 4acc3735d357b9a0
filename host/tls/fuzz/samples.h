#pragma once
/* A CA, a request, a certificate and a list that `luctl cert` has made; the certificate is on the list. Their keys are gone. */
#define SAMPLE_SERIAL "76941bce19410363aa2eb39319187bdc"

static const char sample_ca[] = "-----BEGIN CERTIFICATE-----\n"
                                "MIIBhzCCAS2gAwIBAgIQVOKi0GcYV+lEehUfl2MXMTAKBggqhkjOPQQDAjAiMSAw\n"
                                "HgYDVQQDDBdTYW1zYXJhIENBIGFmYzRkYjM3N2ZlMzAeFw0yNjExMjMwNDI2MzBa\n"
                                "Fw0zNjExMjAwNTI2MzBaMCIxIDAeBgNVBAMMF1NhbXNhcmEgQ0EgYWZjNGRiMzc3\n"
                                "ZmUzMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEhenyJN4ZNQPoWFprD7+eUF6y\n"
                                "BVHO2hCkiI11eCL0rJ6bKyF3EsqHm32S8EtFm6DBYsGLpE3FbIXYnHRtSbFyTKNF\n"
                                "MEMwEgYDVR0TAQH/BAgwBgEB/wIBADAOBgNVHQ8BAf8EBAMCAQYwHQYDVR0OBBYE\n"
                                "FE+TXwn20ekgTX+y+PlnQm2MoiEKMAoGCCqGSM49BAMCA0gAMEUCIElIjKXyBU9w\n"
                                "+Wa8rYyHEqc1wGwSOKdj7VCl1vqf/gb7AiEA1qwDgLRrHOfWDzpA+6zoYZwkqxS6\n"
                                "IzhVJbqQndw4Xjc=\n"
                                "-----END CERTIFICATE-----\n";

static const char sample_certificate[] =
        "-----BEGIN CERTIFICATE-----\n"
        "MIIBxjCCAWygAwIBAgIQdpQbzhlBA2OqLrOTGRh73DAKBggqhkjOPQQDAjAiMSAw\n"
        "HgYDVQQDDBdTYW1zYXJhIENBIGFmYzRkYjM3N2ZlMzAeFw0yNjExMjMwNDI2MzBa\n"
        "Fw0yNzAyMjEwNTI2MzBaMBAxDjAMBgNVBAMMBWFsaWNlMFkwEwYHKoZIzj0CAQYI\n"
        "KoZIzj0DAQcDQgAE0Gtp3n3TBExOYYJtVggWuiMYf3XCjCnEXq89g4fzB6foK+/L\n"
        "x8ymvQESUZFEpBC5LvLS+kFvakQPLtznPaQhkaOBlTCBkjAMBgNVHRMBAf8EAjAA\n"
        "MA4GA1UdDwEB/wQEAwIHgDAdBgNVHQ4EFgQUxhkj2djHiFWS7D1+Thdafv5xnJEw\n"
        "HwYDVR0jBBgwFoAUT5NfCfbR6SBNf7L4+WdCbYyiIQowEwYDVR0lBAwwCgYIKwYB\n"
        "BQUHAwIwHQYDVR0RBBYwFIYSc2Ftc2FyYTp1c2VyL2FsaWNlMAoGCCqGSM49BAMC\n"
        "A0gAMEUCIQDzGJnq8Tt1+B6w/1DSkym1GbROW0pdXUtriuM4UkVuPAIgVNQcm96T\n"
        "TkQEL37QXUdjt37uZ7Hh++Uw/m808sUbYKQ=\n"
        "-----END CERTIFICATE-----\n";

static const char sample_request[] =
        "-----BEGIN CERTIFICATE REQUEST-----\n"
        "MIH7MIGiAgEAMBAxDjAMBgNVBAMMBWFsaWNlMFkwEwYHKoZIzj0CAQYIKoZIzj0D\n"
        "AQcDQgAE0Gtp3n3TBExOYYJtVggWuiMYf3XCjCnEXq89g4fzB6foK+/Lx8ymvQES\n"
        "UZFEpBC5LvLS+kFvakQPLtznPaQhkaAwMC4GCSqGSIb3DQEJDjEhMB8wHQYDVR0R\n"
        "BBYwFIYSc2Ftc2FyYTp1c2VyL2FsaWNlMAoGCCqGSM49BAMCA0gAMEUCIQD5u+bO\n"
        "iy8O3+xdJvSxDglQ4/qKfyxiq+WkACUFS9CudwIgRuPUgTIWtDBy35Ojcgvrvie8\n"
        "mY7NHYODj/VZ99uO/Mw=\n"
        "-----END CERTIFICATE REQUEST-----\n";

static const char sample_crl[] =
        "-----BEGIN X509 CRL-----\n"
        "MIIBETCBuAIBATAKBggqhkjOPQQDAjAiMSAwHgYDVQQDDBdTYW1zYXJhIENBIGFm\n"
        "YzRkYjM3N2ZlMxcNMjYxMTIzMDQyNjMwWhcNMjYxMjIzMDUyNjMwWjAxMC8CEHaU\n"
        "G84ZQQNjqi6zkxkYe9wXDTI2MTEyMzA1MjYzMFowDDAKBgNVHRUEAwoBBKAyMDAw\n"
        "DQYDVR0UBAYCBGsDwHcwHwYDVR0jBBgwFoAUT5NfCfbR6SBNf7L4+WdCbYyiIQow\n"
        "CgYIKoZIzj0EAwIDSAAwRQIhAKMHtO4Borb+9yycQ5nVFBeRpRoaGZlMVNwd3cKX\n"
        "jjc6AiAlPJMECPbQIY739KlApM7BTTgf+DsM0yBrJ4dzGCg/wA==\n"
        "-----END X509 CRL-----\n";
