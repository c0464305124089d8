"""Owns the judgement of the embedded Blob service by Microsoft's own client, azure-storage-blob: containers, blobs in one
piece and in blocks, ranges, conditions, lists, metadata, policies, signatures, copies.

Does not judge Batch. FANOUT names the program.
"""
# needs: azure-storage-blob==12.31.1

import datetime
import json
import os
import subprocess

from azure.core import MatchConditions
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)
from azure.storage.blob import (
    AccessPolicy,
    AccountSasPermissions,
    BlobBlock,
    BlobClient,
    BlobSasPermissions,
    BlobServiceClient,
    ContainerSasPermissions,
    ContentSettings,
    ResourceTypes,
    generate_account_sas,
    generate_blob_sas,
    generate_container_sas,
)

FANOUT = os.environ["FANOUT"]
LIMIT_SECONDS = 30


def refused(kind, call):
    """The call must fail with an error of this kind."""
    try:
        call()
    except kind:
        return
    raise AssertionError("not refused")


def containers(service):
    container = service.create_container("first", metadata={"owner": "judge"})
    refused(ResourceExistsError, lambda: service.create_container("first"))
    assert container.exists() and not service.get_container_client("none").exists()
    assert container.get_container_properties().metadata == {"owner": "judge"}
    container.set_container_metadata({"owner": "other"})
    for number in range(7):
        service.create_container(f"many-{number}")
    listed = [item.name for item in service.list_containers("many-", results_per_page=3)]
    assert listed == [f"many-{number}" for number in range(7)], listed
    assert [item.metadata for item in service.list_containers("first", include_metadata=True)] == [{"owner": "other"}]
    for name in listed:
        service.delete_container(name)
    refused(ResourceNotFoundError, lambda: service.delete_container("many-1"))
    return container


def blobs(container):
    settings = ContentSettings(content_type="text/plain", content_language="en", cache_control="no-store")
    name = "folder/ünï+c%20 d.txt"
    blob = container.upload_blob(name, "text of a blob", metadata={"a": "b"}, content_settings=settings)
    refused(ResourceExistsError, lambda: container.upload_blob(name, "again"))
    properties = blob.get_blob_properties()
    assert (properties.size, properties.metadata) == (14, {"a": "b"})
    assert properties.content_settings.content_type == "text/plain"
    assert blob.download_blob().readall() == b"text of a blob"
    assert blob.download_blob(offset=5, length=2).readall() == b"of"
    refused(HttpResponseError, lambda: blob.download_blob(offset=100, length=1).readall())
    stale = {"etag": "0x1", "match_condition": MatchConditions.IfNotModified}
    refused(ResourceModifiedError, lambda: blob.upload_blob("new", overwrite=True, **stale))
    fresh = {"etag": properties.etag, "match_condition": MatchConditions.IfNotModified}
    blob.upload_blob("new", overwrite=True, **fresh)
    assert blob.download_blob().readall() == b"new"
    blob.set_blob_metadata({"c": "d"})
    blob.set_http_headers(ContentSettings(content_type="text/html"))
    properties = blob.get_blob_properties()
    assert properties.metadata == {"c": "d"} and properties.content_settings.content_type == "text/html"
    container.upload_blob("empty", b"")
    assert container.download_blob("empty").readall() == b""
    container.delete_blob("empty")
    refused(ResourceNotFoundError, lambda: container.download_blob("empty"))
    assert not container.get_blob_client("empty").exists()


def blocks(service, container):
    large = os.urandom(9 << 20)
    small_parts = BlobClient(
        service.url, "first", "large", credential=service.credential, max_block_size=1 << 20,
        max_single_put_size=1 << 20, max_single_get_size=1 << 20, max_chunk_get_size=1 << 20,
    )
    small_parts.upload_blob(large, validate_content=True, max_concurrency=4)
    assert small_parts.download_blob(max_concurrency=4, validate_content=False).readall() == large
    blob = container.get_blob_client("staged")
    for number in range(3):
        blob.stage_block(f"{number:04}", f"<{number}>")
    committed, staged = blob.get_block_list("all")
    assert (len(committed), len(staged)) == (0, 3)
    blob.commit_block_list([BlobBlock("0002"), BlobBlock("0000")])
    assert blob.download_blob().readall() == b"<2><0>"
    committed, staged = blob.get_block_list("all")
    assert [block.size for block in committed] == [3, 3] and not staged


def lists(container):
    for name in ["list/a/1", "list/a/2", "list/b", "list/c/1", "list/<&>"]:
        container.upload_blob(name, name)
    names = [item.name for item in container.list_blobs("list/", results_per_page=2)]
    assert names == ["list/<&>", "list/a/1", "list/a/2", "list/b", "list/c/1"], names
    walked = [item.name for item in container.walk_blobs("list/", delimiter="/", results_per_page=1)]
    assert sorted(walked) == ["list/<&>", "list/a/", "list/b", "list/c/"], walked
    assert list(container.list_blob_names(name_starts_with="list/a")) == ["list/a/1", "list/a/2"]


def signatures(service, account, key, container):
    later = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)
    before = later - datetime.timedelta(hours=2)
    blob = container.upload_blob("signed", b"signed")

    def signed(**settings):
        sas = generate_blob_sas(account, "first", "signed", account_key=key, **settings)
        return BlobClient.from_blob_url(f"{blob.url}?{sas}")

    reader = signed(permission=BlobSasPermissions(read=True), expiry=later)
    assert reader.download_blob().readall() == b"signed"
    refused(HttpResponseError, lambda: reader.upload_blob(b"x", overwrite=True))
    expired = signed(permission=BlobSasPermissions(read=True), expiry=before)
    refused(ClientAuthenticationError, lambda: expired.download_blob())
    policy = AccessPolicy(permission=ContainerSasPermissions(read=True, list=True), expiry=later, start=before)
    container.set_container_access_policy({"readers": policy})
    assert container.get_container_access_policy()["signed_identifiers"][0].id == "readers"
    sas = generate_container_sas(account, "first", account_key=key, policy_id="readers")
    by_policy = BlobClient.from_blob_url(f"{blob.url}?{sas}")
    assert by_policy.download_blob().readall() == b"signed"
    container.set_container_access_policy({})
    refused(ClientAuthenticationError, lambda: by_policy.download_blob())
    sas = generate_account_sas(
        account, key, ResourceTypes(service=True, container=True, object=True),
        AccountSasPermissions(read=True, list=True), later,
    )
    guest = BlobServiceClient(service.url, credential=sas)
    assert "first" in [item.name for item in guest.list_containers()]
    assert guest.get_blob_client("first", "signed").download_blob().readall() == b"signed"
    refused(HttpResponseError, lambda: guest.create_container("second"))
    sas = generate_blob_sas(
        account, "first", "signed", account_key=key, permission=BlobSasPermissions(read=True), expiry=later
    )
    copy = container.get_blob_client("copy")
    assert copy.start_copy_from_url(f"{blob.url}?{sas}")["copy_status"] == "success"
    assert copy.download_blob().readall() == b"signed"
    assert copy.get_blob_properties().copy.status == "success"
    container.get_blob_client("put").upload_blob_from_url(f"{blob.url}?{sas}")
    assert container.download_blob("put").readall() == b"signed"


def main():
    service = subprocess.Popen([FANOUT, "emulate", "--quiet"], stdout=subprocess.PIPE, text=True)
    try:
        ready = json.loads(service.stdout.readline())["blob"]
        credential = {"account_name": ready["account"], "account_key": ready["key"]}
        client = BlobServiceClient(ready["endpoint"], credential=credential)
        container = containers(client)
        blobs(container)
        blocks(client, container)
        lists(container)
        signatures(client, ready["account"], ready["key"], container)
        container.delete_container()
    finally:
        service.terminate()
        assert service.wait(LIMIT_SECONDS) == 0
    print("ok: azure-storage-blob found containers, blobs, lists, signatures and copies as it expects them")


main()
