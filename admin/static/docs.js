// The page of the REST API: Swagger UI over our document, light or dark as the panel is.
"use strict";
(() => {
  const root = document.documentElement;
  const place = document.getElementById("docs");
  root.classList.toggle("dark-mode", root.dataset.theme === "dark");
  window.SwaggerUIBundle({
    domNode: place,
    url: place.dataset.document,
    deepLinking: true,
    validatorUrl: null,
    presets: [window.SwaggerUIBundle.presets.apis],
    layout: "BaseLayout",
  });
})();
