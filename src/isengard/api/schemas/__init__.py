"""What the API takes and answers, as models: the OpenAPI document and the page's types are made from these."""
