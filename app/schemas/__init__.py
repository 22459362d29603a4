"""The shapes of the public contract, as pydantic models.

The AsyncAPI document, the OpenAPI document and the types of the web part are
all made from these, so that none can part from the code.
"""
