// Starts Swagger UI, whose bundle has been loaded before.
const element = document.getElementById("swagger-ui");
SwaggerUIBundle({
  domNode: element,
  url: element.dataset.openapiUrl,
  deepLinking: true,
  presets: [SwaggerUIBundle.presets.apis, SwaggerUIBundle.SwaggerUIStandalonePreset],
});
